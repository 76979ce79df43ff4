using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>Writes the beginning of a safetensors file: everything before the data section.</summary>
public static class SafetensorsHeaderWriter
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

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
        ArrayBufferWriter<byte> buffer = new(256 + (tensors.Count * 96));
        buffer.Write("\0\0\0\0\0\0\0\0{"u8);
        if (metadata is not null) WriteMetadata(buffer, metadata, hasTensors: tensors.Count > 0);
        for (int i = 0; i < tensors.Count; i++)
        {
            if (i > 0) buffer.Write(","u8);
            WriteTensor(buffer, tensors[i]);
        }

        buffer.Write("}"u8);
        int length = (int)((Math.Max((long)buffer.WrittenCount, minimumLength) + 7) / 8 * 8);
        if (length - 8 > FormatLimits.HeaderBytes)
            throw new ArgumentException("the header is over the limit of the format", nameof(tensors));
        byte[] bytes = new byte[length];
        buffer.WrittenSpan.CopyTo(bytes);
        bytes.AsSpan(buffer.WrittenCount).Fill((byte)' ');
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)length - 8);
        return bytes;
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

    private static void WriteMetadata(
        ArrayBufferWriter<byte> buffer, IReadOnlyDictionary<string, string> metadata, bool hasTensors)
    {
        buffer.Write("\"__metadata__\":{"u8);
        string separator = "";
        foreach ((string key, string value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            WriteAscii(buffer, separator);
            WriteText(buffer, key);
            buffer.Write(":"u8);
            WriteText(buffer, value);
            separator = ",";
        }

        buffer.Write("}"u8);
        if (hasTensors) buffer.Write(","u8);
    }

    private static void WriteTensor(ArrayBufferWriter<byte> buffer, TensorInfo tensor)
    {
        WriteText(buffer, tensor.Name);
        string shape = string.Join(",", tensor.Shape.Dimensions.Select(d => d.ToString(CultureInfo.InvariantCulture)));
        WriteAscii(buffer, string.Create(
            CultureInfo.InvariantCulture,
            $":{{\"dtype\":\"{tensor.DType.Name()}\",\"shape\":[{shape}],\"data_offsets\":[{tensor.Begin},{tensor.End}]}}"));
    }

    private static void WriteText(ArrayBufferWriter<byte> buffer, string text)
    {
        buffer.Write("\""u8);
        int plainFrom = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] >= ' ' && text[i] is not ('"' or '\\')) continue;
            StrictUtf8.GetBytes(text.AsSpan(plainFrom, i - plainFrom), buffer);
            if (i < text.Length) WriteAscii(buffer, Escape(text[i]));
            plainFrom = i + 1;
        }

        buffer.Write("\""u8);
    }

    private static string Escape(char c) => c switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
    };

    private static void WriteAscii(ArrayBufferWriter<byte> buffer, string text) => Encoding.ASCII.GetBytes(text, buffer);
}
