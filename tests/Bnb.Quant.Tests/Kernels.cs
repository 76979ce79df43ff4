using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Tests;

/// <summary>What one run of the 4-bit kernel wrote. Absmax is kept as bits, so that equality is equality of bytes.</summary>
internal sealed record Quantized(byte[] Packed, int[] AbsmaxBits, bool Finite)
{
    public int CodeAt(int index) => (Packed[index / 2] >> (index % 2 == 0 ? 4 : 0)) & 0xF;

    public float AbsmaxAt(int block) => BitConverter.Int32BitsToSingle(AbsmaxBits[block]);

    public float[] Absmax => [.. AbsmaxBits.Select(BitConverter.Int32BitsToSingle)];
}

/// <summary>Runs kernels between canaries and compares.</summary>
internal static class Kernels
{
    private const int Margin = 128;

    public static IEnumerable<KernelPath> FastPaths => KernelPaths.Available.Where(path => path != KernelPath.Reference);

    public static ElementType[] Types { get; } = Enum.GetValues<ElementType>();

    /// <summary>float32 values as stored; the 16-bit types round to nearest even.</summary>
    public static byte[] Store(ElementType type, ReadOnlySpan<float> values)
    {
        var stored = new byte[values.Length * type.Size()];
        for (int i = 0; i < values.Length; i++)
        {
            Span<byte> place = stored.AsSpan(i * type.Size());
            if (type == ElementType.F32) BitConverter.TryWriteBytes(place, values[i]);
            else if (type == ElementType.F16) BitConverter.TryWriteBytes(place, (Half)values[i]);
            else BitConverter.TryWriteBytes(place, BFloat16Bits(values[i]));
        }

        return stored;
    }

    /// <summary>Quantizes and checks that nothing was written outside the result.</summary>
    public static Quantized Run(Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, KernelPath path)
    {
        int count = source.Length / type.Size();
        int blocks = (int)BlockGrid.BlockCount(count, blocksize);
        var packed = new byte[(count + 1) / 2 + 2 * Margin];
        var absmax = new float[blocks + 2 * Margin];
        Array.Fill(packed, (byte)0xA5);
        Array.Fill(absmax, 123.25f);
        bool finite = Quantize4.Run(
            code, type, blocksize, source, absmax.AsSpan(Margin, blocks), packed.AsSpan(Margin, (count + 1) / 2), path);
        Assert.All(Outside(packed), value => Assert.Equal(0xA5, value));
        Assert.All(Outside(absmax), value => Assert.Equal(123.25f, value));
        int[] absmaxBits = [.. MemoryMarshal.Cast<float, int>(absmax.AsSpan()[Margin..^Margin])];
        return new Quantized(packed[Margin..^Margin], absmaxBits, finite);
    }

    /// <summary>Quantizes float32 values on the path that is chosen by default.</summary>
    public static Quantized Run(Code4 code, int blocksize, float[] values) =>
        Run(code, ElementType.F32, blocksize, Store(ElementType.F32, values), KernelPaths.Selected);

    /// <summary>Fails unless every fast path gives the bytes of the reference.</summary>
    public static void AssertPathsAgree(Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, string what)
    {
        Quantized expected = Run(code, type, blocksize, source, KernelPath.Reference);
        foreach (KernelPath path in FastPaths)
        {
            Quantized actual = Run(code, type, blocksize, source, path);
            string place = $"{what} {code} {type} block {blocksize} on {path}";
            int different = FirstDifference(expected.AbsmaxBits, actual.AbsmaxBits);
            Assert.True(different < 0, $"{place}: absmax {different}");
            different = FirstDifference(expected.Packed, actual.Packed);
            Assert.True(different < 0, $"{place}: byte {different} of {expected.Packed.Length}");
            Assert.True(expected.Finite == actual.Finite, $"{place}: finite {actual.Finite}");
        }
    }

    private static int FirstDifference<T>(T[] expected, T[] actual)
        where T : IEquatable<T>
    {
        if (expected.Length != actual.Length) return 0;
        int common = expected.AsSpan().CommonPrefixLength(actual);
        return common == expected.Length ? -1 : common;
    }

    private static T[] Outside<T>(T[] buffer) => [.. buffer[..Margin], .. buffer[^Margin..]];

    private static ushort BFloat16Bits(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
