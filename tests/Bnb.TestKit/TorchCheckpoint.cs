namespace Bnb.TestKit;

/// <summary>Tensors as PyTorch files.</summary>
public static class TorchCheckpoint
{
    private static readonly Dictionary<string, string> Storages = new()
    {
        ["F32"] = "FloatStorage",
        ["F16"] = "HalfStorage",
        ["BF16"] = "BFloat16Storage",
        ["F64"] = "DoubleStorage",
        ["I64"] = "LongStorage",
        ["I32"] = "IntStorage",
        ["I16"] = "ShortStorage",
        ["I8"] = "CharStorage",
        ["U8"] = "ByteStorage",
        ["BOOL"] = "BoolStorage",
    };

    /// <summary>A file in zip form with these tensors.</summary>
    /// <param name="isTransposed">True to store every matrix column by column, as <c>weight.t()</c> of a contiguous one is.</param>
    public static byte[] Write(IEnumerable<TestTensor> tensors, bool isTransposed = false)
    {
        List<(string Name, Action<TorchPickle> Value)> entries = [];
        List<byte[]> storages = [];
        foreach (TestTensor tensor in tensors)
        {
            long[] strides = new long[tensor.Shape.Length];
            long count = 1;
            for (int i = strides.Length - 1; i >= 0; count *= tensor.Shape[i--]) strides[i] = count;
            byte[] data = tensor.Data;
            if (isTransposed && strides.Length == 2)
            {
                strides = [1, tensor.Shape[0]];
                data = Transposed(tensor, (int)(data.Length / Math.Max(1, count)));
            }

            string key = $"{storages.Count}";
            entries.Add((tensor.Name, pickle => pickle.Tensor(Storages[tensor.DType], key, count, 0, tensor.Shape, strides)));
            storages.Add(data);
        }

        return TorchZip.Write(TorchZip.Records(TorchPickle.StateDict([.. entries]), [.. storages]), isNative: true);
    }

    private static byte[] Transposed(TestTensor tensor, int size)
    {
        byte[] data = new byte[tensor.Data.Length];
        (int rows, int columns) = ((int)tensor.Shape[0], (int)tensor.Shape[1]);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
                tensor.Data.AsSpan(((i * columns) + j) * size, size).CopyTo(data.AsSpan(((j * rows) + i) * size));
        }

        return data;
    }
}
