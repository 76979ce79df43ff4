using System.Globalization;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>The arithmetic side of a header: sorted tensor ranges against each other and against the file.</summary>
internal static class HeaderLayout
{
    /// <summary>
    /// Checks that the ranges tile the data section and that each holds exactly its tensor. Ranges are compared with each
    /// other before the file's length, so that an unfinished download is called that and not a wrong tensor size.
    /// </summary>
    public static void Check(List<TensorInfo> tensors, long dataStart, long fileLength, HeaderErrors errors)
    {
        TensorInfo? previous = null;
        foreach (TensorInfo tensor in tensors)
        {
            CheckPlace(tensor, previous, errors);
            CheckSize(tensor, errors);
            previous = tensor;
        }

        // Both parts are bounded: the header by its limit, the end by 63 bits; their sum is compared without forming it.
        long dataEnd = previous?.End ?? 0;
        long dataPresent = fileLength - dataStart;
        if (dataEnd > dataPresent) throw Truncated(tensors, dataPresent, dataEnd, dataStart, fileLength, errors);
        if (dataEnd == dataPresent) return;
        throw errors.Of(
            FormatError.SafetensorsTrailingBytes,
            "the file goes on after its last tensor",
            ("extra", DisplayText.Bytes(dataPresent - dataEnd)),
            ("from", DisplayText.Bytes(dataStart + dataEnd) + " on"));
    }

    private static void CheckPlace(TensorInfo tensor, TensorInfo? previous, HeaderErrors errors)
    {
        long expected = previous?.End ?? 0;
        if (tensor.Begin == expected) return;
        if (tensor.Begin == tensor.End)
        {
            throw errors.Of(
                FormatError.SafetensorsOffsets,
                tensor.Name,
                "an empty range that is not where the tensor before it ends",
                ("found", Range(tensor)),
                ("expected", Number(expected)));
        }

        if (tensor.Begin > expected)
        {
            throw errors.Of(
                FormatError.SafetensorsGap,
                tensor.Name,
                "bytes before it belong to no tensor",
                ("gap", $"[{Number(expected)}, {Number(tensor.Begin)}] of the data"));
        }

        throw errors.Of(
            FormatError.SafetensorsOverlap,
            tensor.Name,
            "shares bytes with another tensor",
            ("range", Range(tensor)),
            ("other", $"{DisplayText.Escape(previous!.Name)} {Range(previous)}"));
    }

    private static void CheckSize(TensorInfo tensor, HeaderErrors errors)
    {
        long elements = tensor.Shape.ElementCount;
        int size = tensor.DType.BitSize();
        if (elements > long.MaxValue / size)
            throw errors.Of(
                FormatError.SafetensorsOverflow, tensor.Name, "its size does not fit 63 bits", ("tensor", TypeText(tensor)));
        long bits = elements * size;
        if (bits % 8 != 0)
        {
            throw errors.Of(
                FormatError.SafetensorsSubByte,
                tensor.Name,
                "not a whole number of bytes",
                ("tensor", TypeText(tensor)),
                ("bits", Number(bits)));
        }

        if (bits / 8 == tensor.ByteCount) return;
        throw errors.Of(
            FormatError.SafetensorsSize,
            tensor.Name,
            "its data_offsets are not the size of its shape and dtype",
            ("tensor", $"{TypeText(tensor)} = {DisplayText.Bytes(bits / 8)}"),
            ("range", $"{Range(tensor)} = {DisplayText.Bytes(tensor.ByteCount)}"));
    }

    private static CheckpointFormatException Truncated(
        List<TensorInfo> tensors, long dataPresent, long dataEnd, long dataStart, long fileLength, HeaderErrors errors)
    {
        string first = tensors.First(tensor => tensor.End > dataPresent).Name;
        Int128 expected = (Int128)dataStart + dataEnd;
        return errors.Of(
            FormatError.SafetensorsTruncated,
            "shorter than its header says",
            ("size", string.Create(
                CultureInfo.InvariantCulture,
                $"{fileLength:N0} bytes, expected {expected:N0} ({dataEnd - dataPresent:N0} missing)")),
            ("first cut", DisplayText.Escape(first)));
    }

    private static string TypeText(TensorInfo tensor) => $"{tensor.DType.Name()} {tensor.Shape}";

    private static string Range(TensorInfo tensor) => $"[{Number(tensor.Begin)}, {Number(tensor.End)}]";

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
