using System.Runtime.InteropServices;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Tensors;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>Offsets beyond 32 bits: a tensor of more than 2^31 elements and 2^32 bytes, in a sparse source file.</summary>
public sealed class LargeTensorTests : IDisposable
{
    private const long DiskNeeded = 4L << 30;
    private const int Columns = 1 << 15;
    private const int Rows = (1 << 16) + 3;
    private const int Island = 1 << 12;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_MoreThan2Pow31Elements_ValuesBeyond32BitOffsetsAreRight()
    {
        if (new DriveInfo(_folder.Path).AvailableFreeSpace < DiskNeeded) Assert.Skip("needs 4 GiB of free disk");
        long values = (long)Rows * Columns;
        Assert.True(values > int.MaxValue && values * 2 > uint.MaxValue);
        // Zeros but for islands of numbers: at the start, around element 2^31, at the very end.
        long[] islands = [0, (1L << 31) - (Island / 2), values - Island];
        WriteSource(values, islands);

        ToolRun.Succeed("quantize", _folder["big.safetensors"], "--output", _folder["out"], "--double-quant", "false");

        Checkpoint output = Checkpoint.Open(_folder["out"], requireConfig: false);
        CheckpointTensor packed = output.Tensors.Single(tensor => tensor.Name == "model.layers.0.mlp.up_proj.weight");
        CheckpointTensor absmax = output.Tensors.Single(tensor => tensor.Name == packed.Name + ".absmax");
        Assert.Equal(values / 2, packed.ByteCount);
        Assert.Equal(values / 64 * 4, absmax.ByteCount);
        using PositionedFile file = PositionedFile.Open(packed.File.Path);
        foreach (long island in islands)
        {
            var codes = new byte[Island / 2];
            var scales = new float[Island / 64];
            file.Read(packed.FileOffset + (island / 2), codes);
            file.Read(absmax.FileOffset + (island / 64 * 4), MemoryMarshal.AsBytes(scales.AsSpan()));

            var expectedCodes = new byte[Island / 2];
            var expectedScales = new float[Island / 64];
            Quantize4.Run(
                Code4Catalog.Nf4, ElementType.BF16, 64, Numbers(island), expectedScales, expectedCodes, KernelPath.Reference);
            Assert.Equal(expectedScales, scales);
            Assert.Equal(expectedCodes, codes);
        }
    }

    private void WriteSource(long values, long[] islands)
    {
        using var source = new FileStream(_folder["big.safetensors"], FileMode.CreateNew);
        byte[] header = SafetensorsHeaderWriter.Write(
            [new TensorInfo("model.layers.0.mlp.up_proj.weight", DType.BF16, TensorShape.Of(Rows, Columns), 0, values * 2)], null);
        source.Write(header);
        foreach (long island in islands)
        {
            source.Position = header.Length + (island * 2);
            source.Write(Numbers(island));
        }

        source.SetLength(header.Length + (values * 2));
    }

    /// <summary>bf16 numbers that depend on where they stand.</summary>
    private static byte[] Numbers(long island)
    {
        var random = new Random((int)(island % 1_000_003));
        var numbers = new ushort[Island];
        for (int i = 0; i < Island; i++) numbers[i] = (ushort)(BitConverter.SingleToUInt32Bits(random.NextSingle() - 0.5f) >> 16);
        return MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray();
    }
}
