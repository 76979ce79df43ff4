using System.Globalization;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>Checks tensors against their storages: numbers of elements, offsets, sizes and strides, all from a stranger.</summary>
internal sealed class TorchLayout(long fileLength, Func<PickleStorage, StoredRange> find, TorchErrors errors)
{
    private readonly Dictionary<string, StoredRange> _storages = new(StringComparer.Ordinal);
    private Int128 _bytes;

    /// <summary>Checks one tensor.</summary>
    /// <exception cref="CheckpointFormatException">PT-UNSUP, PT-RECORD, PT-STORAGE, PT-STRIDE or PT-EXPAND.</exception>
    public TorchTensor Check(string name, PickleTensor tensor)
    {
        if (tensor is not { Unsupported: null, Storage: { } stored, DType: { } dtype })
            throw errors.Unsupported(name, tensor.Unsupported ?? "without a storage");
        StoredRange storage = Storage(name, stored);
        long available = CheckCount(name, stored, storage);
        TensorShape shape = Shape(name, tensor);
        int size = dtype.BitSize() / 8;
        long bytes = dtype.ByteCount(shape.ElementCount)
            ?? throw errors.Damaged(FormatError.TorchStride, name, "has more bytes than fit 63 bits", Facts(tensor, available / size));

        long skipped = stored.ViewOffset * stored.Type.ElementBytes!.Value;
        if (shape.ElementCount == 0) return new(new(name, dtype, shape, storage.Start, storage.Start), storage, null);
        Int128 last = tensor.Offset;
        for (int i = 0; i < tensor.Sizes.Length; i++) last += (Int128)(tensor.Sizes[i] - 1) * tensor.Strides[i];
        if ((last + 1) * size > available)
            throw errors.Damaged(FormatError.TorchStride, name, "reaches past the end of its storage", Facts(tensor, available / size));

        CheckExpansion(name, bytes, storage);
        long start = storage.Start + skipped + (tensor.Offset * size);
        return new(new(name, dtype, shape, start, start + bytes), storage, TensorStrides.Of(start, tensor.Sizes, tensor.Strides, size));
    }

    private StoredRange Storage(string name, PickleStorage stored)
    {
        if (stored.Type.ElementBytes is null) throw errors.Unsupported(name, $"stored as {stored.Type.Name}");
        if (_storages.TryGetValue(stored.Key, out StoredRange? known)) return known;
        StoredRange found = find(stored);
        _storages.Add(stored.Key, found);
        return found;
    }

    /// <summary>Bytes that the tensor may use.</summary>
    private long CheckCount(string name, PickleStorage stored, StoredRange storage)
    {
        int size = stored.Type.ElementBytes!.Value;
        if (stored.Count < 0 || (Int128)stored.Count * size != storage.Length)
        {
            throw errors.Damaged(
                FormatError.TorchStorage,
                name,
                "its storage has another length than it claims",
                ("storage", DisplayText.Escape(stored.Key)),
                ("claimed", $"{TorchErrors.Number(stored.Count)} x {TorchErrors.Number(size)} bytes"),
                ("present", DisplayText.Bytes(storage.Length)));
        }

        if (stored.ViewCount is not { } count) return storage.Length;
        if (stored.ViewOffset >= 0 && count >= 0 && (Int128)stored.ViewOffset + count <= stored.Count) return count * size;
        throw errors.Damaged(
            FormatError.TorchStorage,
            name,
            "its part of the storage is not inside it",
            ("storage", $"{DisplayText.Escape(stored.Key)}, {TorchErrors.Number(stored.Count)} elements"),
            ("part", $"{TorchErrors.Number(count)} elements from {TorchErrors.Number(stored.ViewOffset)}"));
    }

    private TensorShape Shape(string name, PickleTensor tensor)
    {
        bool isValid = tensor.Offset >= 0 && tensor.Sizes.Length == tensor.Strides.Length
            && tensor.Sizes.All(size => size >= 0) && tensor.Strides.All(stride => stride >= 0);
        if (isValid && TensorShape.TryOf(tensor.Sizes) is { } shape) return shape;
        throw errors.Damaged(FormatError.TorchStride, name, "its offset, sizes and strides are no tensor", Facts(tensor, null));
    }

    private void CheckExpansion(string name, long bytes, StoredRange storage)
    {
        _bytes += bytes;
        bool one = bytes > FormatLimits.TorchExpansionFloor && bytes / FormatLimits.TorchExpansion > storage.Length;
        bool all = _bytes > FormatLimits.TorchExpansionFloor && _bytes / FormatLimits.TorchExpansion > fileLength;
        if (!one && !all) return;
        throw errors.Unsafe(
            FormatError.TorchExpand,
            name,
            one ? "would take far more bytes than its storage has" : "the tensors so far would take far more bytes than the file has",
            ("bytes", TorchErrors.Number(one ? bytes : (long)Int128.Min(_bytes, long.MaxValue))),
            ("stored", DisplayText.Bytes(one ? storage.Length : fileLength)),
            ("limit", $"{FormatLimits.TorchExpansion} times"));
    }

    private static (string, string)[] Facts(PickleTensor tensor, long? elements)
    {
        (string, string)[] facts =
        [
            ("offset", tensor.Offset.ToString(CultureInfo.InvariantCulture)),
            ("sizes", List(tensor.Sizes)),
            ("strides", List(tensor.Strides)),
        ];
        return elements is { } count ? [.. facts, ("storage", $"{TorchErrors.Number(count)} elements")] : facts;
    }

    private static string List(long[] numbers) =>
        "[" + string.Join(", ", numbers.Take(16).Select(number => number.ToString(CultureInfo.InvariantCulture))) + (numbers.Length > 16 ? ", ...]" : "]");
}
