using Bnb.Formats.Tensors;

namespace Bnb.Formats.PackedWords;

/// <summary>A GPTQ weight: <paramref name="Words"/> is I32 [in / per word, out], the first input feature in the lowest bits.</summary>
/// <param name="GroupIndex">I32 [in]: the group of each input feature; null when neighbours share one.</param>
/// <param name="Bits">2, 4 or 8.</param>
/// <param name="GroupSize">See <see cref="PackedWordWeight.GroupSize"/>; at least 1.</param>
/// <param name="StoresZerosLessOne">True for the first version of the format, which stores zero points less one.</param>
public sealed record GptqWeight(
    string Name,
    CheckpointTensor Words,
    CheckpointTensor ZeroWords,
    CheckpointTensor Scales,
    CheckpointTensor? GroupIndex,
    int Bits,
    long GroupSize,
    bool StoresZerosLessOne) : PackedWordWeight(Name, Words, ZeroWords, Scales)
{
    /// <summary><c>gptq</c>.</summary>
    public override string Type => "gptq";

    /// <inheritdoc/>
    public override int Bits { get; } = Bits;

    /// <inheritdoc/>
    public override long GroupSize { get; } = GroupSize;

    /// <summary>Input features.</summary>
    public override long Columns => Words.Shape[0] * PerWord;

    /// <inheritdoc/>
    public override IEnumerable<CheckpointTensor> Parts => GroupIndex is null ? base.Parts : base.Parts.Append(GroupIndex);
}
