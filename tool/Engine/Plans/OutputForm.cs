using Bnb.Formats.Primitives;

namespace Bnb.Engine.Plans;

/// <summary>
/// What a source tensor becomes, apart from its name: the same for all tensors of a shape that are treated alike, so that
/// thousands of experts share one.
/// </summary>
internal sealed class OutputForm
{
    private OutputForm(FormPart[] parts) => (Parts, Bytes) = (parts, parts.Sum(part => part.Bytes));

    /// <summary>The output tensors.</summary>
    public IReadOnlyList<FormPart> Parts { get; }

    /// <summary>Bytes of all of them, quant_state blobs in their longest form.</summary>
    public long Bytes { get; }

    /// <summary>The form of one tensor's outputs.</summary>
    /// <param name="weight">The tensor's name, of which each output's name keeps the beginning.</param>
    public static OutputForm Of(string weight, IEnumerable<PlannedTensor> outputs) => new([.. outputs.Select(output =>
    {
        int kept = weight.AsSpan().CommonPrefixLength(output.Name);
        return new FormPart(weight.Length - kept, output.Name[kept..], output.DType, output.Shape, output.Role, output.Bytes);
    })]);
}

/// <summary>One output tensor of a form.</summary>
/// <param name="Cut">Characters that its name has not of the end of the source tensor's.</param>
/// <param name="Suffix">What it has instead.</param>
internal sealed record FormPart(int Cut, string Suffix, DType DType, TensorShape Shape, OutputRole Role, long Bytes)
{
    /// <summary>Bits of an element.</summary>
    public int Bits { get; } = DType.BitSize();

    /// <summary>Its name beside a source tensor.</summary>
    public string NameBeside(string weight) => Suffix.Length + Cut == 0 ? weight : string.Concat(Stem(weight), Suffix);

    /// <summary>Characters of <see cref="NameBeside"/>.</summary>
    public int NameLength(string weight) => weight.Length - Cut + Suffix.Length;

    /// <summary>The same name in a buffer that is long enough.</summary>
    public ReadOnlySpan<char> NameIn(Span<char> buffer, string weight)
    {
        ReadOnlySpan<char> stem = Stem(weight);
        stem.CopyTo(buffer);
        Suffix.CopyTo(buffer[stem.Length..]);
        return buffer[..(stem.Length + Suffix.Length)];
    }

    /// <summary>Compares two names by their UTF-16 code units without making them.</summary>
    public static int Compare(FormPart left, string leftWeight, FormPart right, string rightWeight)
    {
        ReadOnlySpan<char> a = left.Stem(leftWeight), b = right.Stem(rightWeight);
        int common = Math.Min(a.Length, b.Length), order = a[..common].SequenceCompareTo(b[..common]);
        if (order != 0) return order;
        return a.Length <= b.Length ? CompareTail(left.Suffix, b[common..], right.Suffix) : -CompareTail(right.Suffix, a[common..], left.Suffix);
    }

    private static int CompareTail(ReadOnlySpan<char> tail, ReadOnlySpan<char> stem, ReadOnlySpan<char> suffix)
    {
        int common = Math.Min(tail.Length, stem.Length), order = tail[..common].SequenceCompareTo(stem[..common]);
        return order != 0 ? order : tail.Length < stem.Length ? -1 : tail[common..].SequenceCompareTo(suffix);
    }

    /// <summary>What its name has of a source tensor's.</summary>
    public ReadOnlySpan<char> Stem(string weight) => weight.AsSpan(0, weight.Length - Cut);
}
