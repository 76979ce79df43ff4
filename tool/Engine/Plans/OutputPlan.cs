using System.Text.Json;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Sharded;

namespace Bnb.Engine.Plans;

/// <summary>
/// A folder that will be written, decided from headers and options alone: which tensor goes where in which file, the config,
/// the side files. Nothing has been created yet.
/// </summary>
/// <param name="ConfigBytes">Null when the source has no config.json.</param>
internal abstract record OutputPlan(
    Checkpoint Source, IReadOnlyList<TensorPlan> Tensors, IReadOnlyList<ShardPlan> Shards, byte[]? ConfigBytes)
{
    /// <summary>The command that makes it.</summary>
    public abstract string Command { get; }

    /// <summary>Whether the manifest shall name SHA-256 of the source's weight files, for which they are read once more.</summary>
    public virtual bool HashesSource => false;

    /// <summary>What a model card is called.</summary>
    public const string CardName = "README.md";

    /// <summary>The README.md that takes the place of the source's; null when that is copied like any other file.</summary>
    public virtual byte[]? CardBytes => null;

    /// <summary>Side files that are copied as they are.</summary>
    public IEnumerable<SideFile> CopiedFiles => CardBytes is null ? Source.SideFiles.Copied : Source.SideFiles.Copied.Where(file => file.RelativeName != CardName);

    /// <summary>Bytes of the source's tensors, which are all read once.</summary>
    public long SourceTensorBytes => Tensors.Sum(tensor => tensor.SourceBytes);

    /// <summary>Bytes of the source's weight files, headers included.</summary>
    public long SourceFileBytes => Source.Files.Sum(file => file.Identity.Length);

    /// <summary>Upper bound of what the output folder takes; what must be free before the run begins.</summary>
    public long MaximumOutputBytes =>
        Shards.Sum(shard => shard.MaximumLength) + IndexLength(Shards.Sum(shard => shard.MaximumLength))
        + (ConfigBytes?.Length ?? 0) + (CardBytes?.Length ?? 0) + Source.SideFiles.Copied.Sum(file => file.Length);

    /// <summary>Writes the options that change bytes of the output, and no others.</summary>
    public abstract void WriteOptions(Utf8JsonWriter json);

    public string IndexName => Source.OutputBaseName + ".safetensors.index.json";

    /// <summary>Bytes of the index file, 0 when one shard holds everything and none is written.</summary>
    private long IndexLength(long tensorBytes)
    {
        if (Shards.Count == 1) return 0;
        long length = ShardIndexBuilder.OtherLength(tensorBytes);
        foreach (ShardPlan shard in Shards)
        {
            foreach ((TensorPlan tensor, OutputPart part, _) in shard.Outputs.Places())
                length += ShardIndexBuilder.EntryLength(part.NameBeside(tensor.Name), shard.FileName);
        }

        return length;
    }
}
