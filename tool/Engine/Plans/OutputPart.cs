using Bnb.Formats.Checkpoints;
using Bnb.Formats.Sharded;

namespace Bnb.Engine.Plans;

/// <summary>One model within an output: all of it, or a component of a pipeline.</summary>
/// <param name="Prefix">What the names of its files begin with: nothing, or its folder with a slash.</param>
/// <param name="Source">What it is made from.</param>
/// <param name="Shards">Its weight files, whose names have the prefix.</param>
/// <param name="ConfigBytes">Null when the source has no config.json.</param>
internal sealed record OutputPart(string Prefix, Checkpoint Source, IReadOnlyList<ShardPlan> Shards, byte[]? ConfigBytes)
{
    public string ConfigName => Prefix + "config.json";

    /// <summary>The index; null when one weight file holds everything and none is written.</summary>
    public string? IndexName => Shards.Count == 1 ? null : $"{Prefix}{Source.OutputBaseName}.safetensors.index.json";

    /// <summary>The source's weight files with their names below the pipeline's folder, or the model's.</summary>
    public IEnumerable<NamedFile> SourceFiles => Source.Files.Select(file => new NamedFile(Prefix + file.Name, file));

    /// <summary>Bytes of the index for that many bytes of tensors.</summary>
    public long IndexLength(long tensorBytes)
    {
        if (IndexName is null) return 0;
        long length = ShardIndexBuilder.OtherLength(tensorBytes);
        foreach (ShardPlan shard in Shards)
        {
            long empty = ShardIndexBuilder.EntryLength("", shard.FileName);
            (TensorPlan? last, int cut, long stem) = (null, 0, 0);
            foreach ((TensorPlan tensor, FormPart part, _) in shard.Outputs.Places())
            {
                // What one name and the next share is measured once: escaped characters are, each by itself.
                if (!ReferenceEquals(tensor, last) || part.Cut != cut)
                    (last, cut, stem) = (tensor, part.Cut, ShardIndexBuilder.EntryLength(part.Stem(tensor.Name), shard.FileName));
                length += stem + ShardIndexBuilder.EntryLength(part.Suffix, shard.FileName) - empty;
            }
        }

        return length;
    }
}
