using System.Text.Json;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Checkpoints;

/// <summary>
/// A diffusers pipeline as it lies on disk: <c>model_index.json</c>, a folder for each component, and files beside them. Opening
/// reads the headers of every component with weights, and no weights.
/// </summary>
public sealed class PipelineFolder
{
    /// <summary>The file that makes a folder a pipeline and names its components.</summary>
    public const string IndexName = "model_index.json";

    private PipelineFolder(string folder, ModelConfig index, IReadOnlyList<PipelineComponent> components, SideFileList sideFiles, IReadOnlyList<string> notes) =>
        (Folder, Index, Components, SideFiles, Notes) = (folder, index, components, sideFiles, notes);

    /// <summary>The folder with <see cref="IndexName"/>.</summary>
    public string Folder { get; }

    /// <summary>The content of <see cref="IndexName"/>.</summary>
    public ModelConfig Index { get; }

    /// <summary>The components that have weights, in the order of the index.</summary>
    public IReadOnlyList<PipelineComponent> Components { get; }

    /// <summary>Those of them that are quantized, in whatever form.</summary>
    public IEnumerable<PipelineComponent> Quantized => Components.Where(static component => QuantizedSource.Find(component.Checkpoint) is not null);

    /// <summary>What travels with them: the index, components without weights, the card. Of what is left out, another form of the
    /// weights in the pipeline's own folder.</summary>
    public SideFileList SideFiles { get; }

    /// <summary>What is odd but no error, one sentence each; texts from files are escaped.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Whether a path is a pipeline's folder, rather than a model's with such a file beside its weights.</summary>
    public static bool IsAt(string path)
    {
        if (!Directory.Exists(path)) return false;
        IReadOnlyList<string> names = FolderListing.Names(path);
        return names.Contains(IndexName) && !CheckpointLayout.HasUsualNames(names);
    }

    /// <summary>The files of a copy of the pipeline in which some components are made anew: all but their weights and configs.</summary>
    /// <param name="isMade">True for the components that are made anew.</param>
    public SideFileList FilesBeside(Func<PipelineComponent, bool> isMade)
    {
        ArgumentNullException.ThrowIfNull(isMade);
        return new SideFileList(
            [.. SideFiles.Copied, .. Components.SelectMany(component => isMade(component) ? component.SideFiles() : component.Files())],
            [.. SideFiles.LeftOut, .. Components.SelectMany(static component => component.Checkpoint.SideFiles.LeftOut.Select(name => $"{component.Name}/{name}"))]);
    }

    /// <summary>Opens a pipeline and every component with weights.</summary>
    /// <param name="folder">For which <see cref="IsAt"/> is true.</param>
    /// <param name="followSymlinks">True to take side files that are links out of the folder.</param>
    /// <param name="variant">The variant that is read of every component that has it; null for the plain files.</param>
    /// <exception cref="CheckpointFormatException">Something breaks a rule, or no component has the variant.</exception>
    /// <exception cref="IOException">The device reported an error.</exception>
    public static PipelineFolder Open(string folder, bool followSymlinks, string? variant)
    {
        string indexPath = Path.Combine(folder, IndexName);
        ModelConfig index = ModelConfig.Parse(FileProbe.ReadSmall(indexPath, FormatLimits.ConfigBytes, FormatError.ConfigNotJson), indexPath);
        List<PipelineComponent> components = [];
        List<string> notes = [];
        foreach ((string name, string library, string type) in Entries(index.Root))
        {
            string path = Path.Combine(folder, name);
            if (!Directory.Exists(path)) notes.Add($"{IndexName} names {DisplayText.Escape(name)}, of which there is no folder: it is not in the output either");
            else if (NoWeights.HoldsWeights(path)) components.Add(Component(path, name, library, type, followSymlinks, variant));
        }

        if (variant is not null && !components.Exists(component => component.HasVariant))
            throw WithoutVariant(folder, variant);
        SideFileList all = SideFileScan.Run(folder, followSymlinks, new HashSet<string>());
        string[] read = [.. components.Select(static component => component.Name + "/")];
        return new PipelineFolder(folder, index, components, all with { LeftOut = [.. all.LeftOut.Except(read, StringComparer.Ordinal)] }, notes);
    }

    /// <summary>Names with library and class, of those that the pipeline has.</summary>
    private static IEnumerable<(string Name, string Library, string Class)> Entries(JsonElement index)
    {
        foreach (JsonProperty entry in index.EnumerateObject())
        {
            bool names = entry.Value.ValueKind == JsonValueKind.Array && entry.Value.GetArrayLength() == 2
                && entry.Value.EnumerateArray().All(static part => part.ValueKind == JsonValueKind.String);
            // A name that leads elsewhere is no component.
            bool isFolder = entry.Name is not ("" or "." or "..") && !entry.Name.AsSpan().ContainsAny('/', '\\', '\0');
            if (names && isFolder) yield return (entry.Name, entry.Value[0].GetString()!, entry.Value[1].GetString()!);
        }
    }

    private static PipelineComponent Component(string path, string name, string library, string type, bool followSymlinks, string? variant)
    {
        bool hasVariant = variant is not null && Checkpoint.HasVariant(path, variant);
        Checkpoint checkpoint = Checkpoint.Open(path, requireConfig: false, followSymlinks, hasVariant ? variant : null);
        return new PipelineComponent(name, library, type, checkpoint, hasVariant);
    }

    private static CheckpointFormatException WithoutVariant(string folder, string variant) => new(
        FormatError.FileMissing,
        $"no component of {FileProbe.ShortName(folder)} has a variant {DisplayText.Escape(variant)} of its weights",
        folder,
        action: "leave out --variant");
}
