using Bnb.Formats.Tensors;

namespace Bnb.Formats.PackedWords;

/// <summary>An AWQ weight in the GEMM layout: <paramref name="Words"/> is I32 [in, out / 8], output features of a word in the
/// order 0, 2, 4, 6, 1, 3, 5, 7.</summary>
public sealed record AwqWeight(string Name, CheckpointTensor Words, CheckpointTensor ZeroWords, CheckpointTensor Scales)
    : PackedWordWeight(Name, Words, ZeroWords, Scales)
{
    /// <summary><c>awq</c>.</summary>
    public override string Type => "awq";

    /// <summary>4.</summary>
    public override int Bits => 4;

    /// <inheritdoc/>
    public override long GroupSize => Columns / GroupCount;

    /// <summary>Input features.</summary>
    public override long Columns => Words.Shape[0];
}
