using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>Writes the beginning of a safetensors file: everything before the data section.</summary>
public static class SafetensorsHeaderWriter
{
    /// <summary>
    /// The 8-byte length and the JSON, padded with spaces so that the data section starts at a multiple of 8. The same
    /// arguments give the same bytes: <c>__metadata__</c> first with its keys in ordinal order, then the tensors as given.
    /// Names are written as UTF-8; only quotes, backslashes and control characters are escaped.
    /// </summary>
    /// <param name="tensors">In the order of their data: each begins where the one before it ends, the first at 0.</param>
    /// <param name="metadata">The <c>__metadata__</c> map, or null for none.</param>
    /// <param name="minimumLength">
    /// Least length of the result; lets a writer reserve room for a header whose last numbers are not known yet.
    /// </param>
    /// <exception cref="ArgumentException">
    /// The tensors do not tile the data, a size is not shape times dtype, a name repeats, is <c>__metadata__</c> or is not
    /// valid UTF-16, or the header is over <see cref="FormatLimits.HeaderBytes"/>.
    /// </exception>
    public static byte[] Write(
        IReadOnlyList<TensorInfo> tensors, IReadOnlyDictionary<string, string>? metadata, int minimumLength = 0)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        RequireTiling(tensors);
        SafetensorsHeaderBuilder header = SafetensorsHeaderBuilder.Of(metadata, 256 + (tensors.Count * 96));
        foreach (TensorInfo tensor in tensors) header.Add(tensor.Name, tensor.DType, tensor.Shape, tensor.Begin, tensor.End);
        return header.ToBytes(minimumLength);
    }

    private static void RequireTiling(IReadOnlyList<TensorInfo> tensors)
    {
        HashSet<string> names = new(StringComparer.Ordinal) { "__metadata__" };
        long expected = 0;
        foreach (TensorInfo tensor in tensors)
        {
            if (!names.Add(tensor.Name))
                throw new ArgumentException($"name used twice or reserved: {tensor.Name}", nameof(tensors));
            if (tensor.Begin != expected)
                throw new ArgumentException($"{tensor.Name} does not begin at {expected}", nameof(tensors));
            if (tensor.DType.ByteCount(tensor.Shape.ElementCount) != tensor.ByteCount)
                throw new ArgumentException($"{tensor.Name}: range is not shape times dtype", nameof(tensors));
            expected = tensor.End;
        }
    }
}
