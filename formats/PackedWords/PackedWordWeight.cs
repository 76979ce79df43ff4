using Bnb.Formats.Tensors;

namespace Bnb.Formats.PackedWords;

/// <summary>
/// A weight of GPTQ or AWQ: integers packed into I32 words, with a scale and a zero point for each output feature and group
/// of input features. A value is <c>(code - zero point) * scale</c>. Stored by input features; the dense weight is [out, in].
/// </summary>
/// <param name="Name">Name of the dense tensor: the module's name and <c>.weight</c>.</param>
/// <param name="Words">I32: the codes.</param>
/// <param name="ZeroWords">I32 [groups, out / per word]: the zero points.</param>
/// <param name="Scales">F16, BF16 or F32 [groups, out].</param>
public abstract record PackedWordWeight(string Name, CheckpointTensor Words, CheckpointTensor ZeroWords, CheckpointTensor Scales)
    : QuantizedWeight(Name, Words)
{
    /// <summary>Bits of a code.</summary>
    public abstract int Bits { get; }

    /// <summary>Codes in a word.</summary>
    public int PerWord => 32 / Bits;

    /// <summary>Output features.</summary>
    public override long Rows => Scales.Shape[1];

    /// <summary>Groups of input features.</summary>
    public long GroupCount => Scales.Shape[0];

    /// <summary>Neighbouring input features that share a scale; of a <see cref="GptqWeight"/> with a group index it says
    /// nothing.</summary>
    public abstract long GroupSize { get; }

    /// <inheritdoc/>
    public override IEnumerable<CheckpointTensor> Parts => [Words, ZeroWords, Scales];
}
