using Bnb.Formats.HuggingFace;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>A component of a pipeline that has weights.</summary>
/// <param name="Name">Its folder.</param>
/// <param name="Library">The library that loads it, as the index says: <c>diffusers</c>, <c>transformers</c> or another module.</param>
/// <param name="Class">Its class there.</param>
/// <param name="Checkpoint">Its files.</param>
/// <param name="HasVariant">Whether the files are those of the variant that was asked for.</param>
public sealed record PipelineComponent(string Name, string Library, string Class, Checkpoint Checkpoint, bool HasVariant)
{
    /// <summary>Parameters, as far as tensors are plain: their elements.</summary>
    public long ParameterCount => Checkpoint.Tensors.Sum(static tensor => tensor.Shape.ElementCount);

    /// <summary>
    /// All its files as they go into a copy of the pipeline, below the pipeline's folder: a variant's under the plain names, which
    /// a loader looks for that is told of none.
    /// </summary>
    public IEnumerable<SideFile> Files()
    {
        foreach (CheckpointFile file in Checkpoint.Files) yield return new SideFile(file.Path, $"{Name}/{PlainName(file.Name)}", file.Identity.Length);
        if (Checkpoint.IndexPath is { } index) yield return Small(index, PlainIndexName(Path.GetFileName(index)));
        if (Checkpoint.ConfigPath is { } config) yield return Small(config, "config.json");
        foreach (SideFile file in SideFiles()) yield return file;
    }

    /// <summary>The files beside its weights and config.json, by their place below the pipeline's folder.</summary>
    public IEnumerable<SideFile> SideFiles() => Checkpoint.SideFiles.Copied.Select(file => file with { RelativeName = $"{Name}/{file.RelativeName}" });

    // The files of an index keep their names: the index has them.
    private string PlainName(string name) => Checkpoint.IndexPath is null && Checkpoint.Files.Count == 1 && IsUsual(name)
        ? $"{Checkpoint.WeightsBaseName}.safetensors"
        : name;

    private string PlainIndexName(string name) => IsUsual(name) ? $"{Checkpoint.WeightsBaseName}.safetensors.index.json" : name;

    private bool IsUsual(string name) => Checkpoint.WeightsBaseName is WeightForm.Transformers or WeightForm.Diffusers
        && name.Contains(".safetensors", StringComparison.Ordinal);

    private SideFile Small(string path, string name) => new(path, $"{Name}/{name}", new FileInfo(path).Length);
}
