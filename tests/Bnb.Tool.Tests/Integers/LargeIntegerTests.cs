using System.Runtime.InteropServices;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Tensors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Integers;

/// <summary>int8 and int4 of more than 2^31 elements: int8 codes reach beyond 32-bit offsets, too.</summary>
public sealed class LargeIntegerTests : IDisposable
{
    private const long DiskNeeded = 5L << 30;
    private const int Columns = 1 << 15;
    private const int Rows = (1 << 16) + 3;
    private const string Weight = "model.layers.0.mlp.up_proj.weight";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(128)]
    public void Quantize_MoreThan2Pow31Elements_ValuesBeyond32BitOffsetsAreRight(int groupSize)
    {
        if (new DriveInfo(_folder.Path).AvailableFreeSpace < DiskNeeded) Assert.Skip("needs 5 GiB of free disk");
        Assert.True((long)Rows * Columns > int.MaxValue);
        // Zeros but for whole stripes: the first, the two around element 2^31, of which the last has 3 rows.
        (int First, int Count)[] stripes = [(0, 8), (Rows - 11, 8), (Rows - 3, 3)];
        WriteSource(stripes);
        var model = new WholeIntegerModel(groupSize, Symmetric: false);

        ToolRun.Succeed(["quantize", _folder["big.safetensors"], "--output", _folder["out"], .. model.Options]);

        Dictionary<string, CheckpointTensor> output = Checkpoint.Open(_folder["out"], requireConfig: false).Tensors.ToDictionary(tensor => tensor.Name);
        foreach ((int first, int count) in stripes)
        {
            foreach ((string name, (DType dtype, long[] shape, byte[] bytes)) in model.Expected(new TestTensor(Weight, "BF16", [count, Columns], Numbers(first, count))))
            {
                if (name.EndsWith("weight_shape", StringComparison.Ordinal) || name.EndsWith("weight_format", StringComparison.Ordinal)) continue;
                CheckpointTensor found = output[name];
                Assert.Equal(dtype, found.DType);
                long rowBytes = bytes.Length / shape[0], firstRow = name.EndsWith("zero_point", StringComparison.Ordinal) ? first / 8 : first;
                byte[] actual = new byte[bytes.Length];
                using PositionedFile file = PositionedFile.Open(found.File.Path);
                file.Read(found.FileOffset + (firstRow * rowBytes), actual);
                Assert.True(bytes.AsSpan().SequenceEqual(actual), $"{name} at row {firstRow} differs, first at {bytes.AsSpan().CommonPrefixLength(actual)}");
            }
        }
    }

    private void WriteSource((int First, int Count)[] stripes)
    {
        using var source = new FileStream(_folder["big.safetensors"], FileMode.CreateNew);
        byte[] header = SafetensorsHeaderWriter.Write([new TensorInfo(Weight, DType.BF16, TensorShape.Of(Rows, Columns), 0, (long)Rows * Columns * 2)], null);
        source.Write(header);
        foreach ((int first, int count) in stripes)
        {
            source.Position = header.Length + ((long)first * Columns * 2);
            source.Write(Numbers(first, count));
        }

        source.SetLength(header.Length + ((long)Rows * Columns * 2));
    }

    /// <summary>bf16 rows that depend on where they stand.</summary>
    private static byte[] Numbers(int firstRow, int rows)
    {
        var random = new Random(firstRow);
        var numbers = new ushort[rows * Columns];
        for (int i = 0; i < numbers.Length; i++) numbers[i] = (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.4f) >> 16);
        return MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray();
    }
}
