using System.Text.Json;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Plans;

/// <summary>
/// A folder that will be written, decided from headers and options alone: which tensor goes where in which file, the config,
/// the side files. Nothing has been created yet.
/// </summary>
internal abstract record OutputPlan(IReadOnlyList<TensorPlan> Tensors, IReadOnlyList<ShardPlan> Shards)
{
    /// <summary>What a model card is called.</summary>
    public const string CardName = "README.md";

    /// <summary>The command that makes it.</summary>
    public abstract string Command { get; }

    /// <summary>The models in it, one unless it is a pipeline.</summary>
    public abstract IReadOnlyList<OutputPart> Parts { get; }

    /// <summary>The files beside the weights.</summary>
    public abstract SideFileList SideFiles { get; }

    /// <summary>The file without which no loader takes the folder for a model: it comes last.</summary>
    public virtual string EntryName => "config.json";

    /// <summary>Whether the manifest shall name SHA-256 of the source's weight files, for which they are read once more.</summary>
    public virtual bool HashesSource => false;

    /// <summary>The README.md that takes the place of the source's; null when that is copied like any other file.</summary>
    public virtual byte[]? CardBytes => null;

    /// <summary>Side files that are copied as they are.</summary>
    public IEnumerable<SideFile> CopiedFiles => CardBytes is null ? SideFiles.Copied : SideFiles.Copied.Where(file => file.RelativeName != CardName);

    /// <summary>Small files that are written: configs, and the card where there is one.</summary>
    public IEnumerable<(string Name, byte[] Content)> MadeFiles
    {
        get
        {
            if (CardBytes is { } card) yield return (CardName, card);
            foreach (OutputPart part in Parts)
                if (part.ConfigBytes is { } config) yield return (part.ConfigName, config);
        }
    }

    /// <summary>The source's weight files that are read, with their names below its folder.</summary>
    public IEnumerable<NamedFile> SourceFiles => Parts.SelectMany(static part => part.SourceFiles);

    /// <summary>Every other file that the output depends on, by its path.</summary>
    public IEnumerable<string> SmallInputs => SideFiles.Copied.Select(static file => file.Path)
        .Concat(Parts.SelectMany(static part => new[] { part.Source.ConfigPath, part.Source.IndexPath }).OfType<string>());

    /// <summary>Bytes of the source's tensors, which are all read once.</summary>
    public long SourceTensorBytes => Tensors.Sum(tensor => tensor.SourceBytes);

    /// <summary>Bytes of the source's weight files, headers included.</summary>
    public long SourceFileBytes => SourceFiles.Sum(static source => source.File.Identity.Length);

    /// <summary>Upper bound of what the output folder takes; what must be free before the run begins.</summary>
    public long MaximumOutputBytes
    {
        get
        {
            long weights = Shards.Sum(static shard => shard.MaximumLength);
            return weights + Parts.Sum(part => part.IndexLength(weights)) + MadeFiles.Sum(static file => (long)file.Content.Length) + SideFiles.Copied.Sum(static file => file.Length);
        }
    }

    /// <summary>Writes the options that change bytes of the output, and no others.</summary>
    public abstract void WriteOptions(Utf8JsonWriter json);
}
