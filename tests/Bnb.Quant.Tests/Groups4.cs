using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>What one run of the INT4 kernel wrote.</summary>
internal sealed record Quantized4Groups(byte[] Packed, byte[] Scales, sbyte[] ZeroPoints, bool Finite);

/// <summary>Runs the INT4 kernels between canaries and compares.</summary>
internal static class Groups4
{
    private const int Margin = 128;

    public static int[] GroupSizes { get; } = [32, 64, 128];

    /// <summary>Quantizes and checks that nothing was written outside the result.</summary>
    public static Quantized4Groups Run(
        ElementType type, int groupSize, bool symmetric, ReadOnlySpan<byte> source, KernelPath path)
    {
        int groups = source.Length / type.Size() / groupSize;
        byte[] scales = Canary((byte)0xA5, groups * type.Size()), packed = Canary((byte)0xA5, groups * groupSize / 2);
        sbyte[] zeros = Canary((sbyte)0x5A, symmetric ? 0 : groups);
        bool finite = QuantizeGroups4.Run(
            type, groupSize, symmetric, source, Inside(scales), Inside(zeros), Inside(packed), path);
        Assert.All(Outside(scales), value => Assert.Equal(0xA5, value));
        Assert.All(Outside(packed), value => Assert.Equal(0xA5, value));
        Assert.All(Outside(zeros), value => Assert.Equal(0x5A, value));
        return new(packed[Margin..^Margin], scales[Margin..^Margin], zeros[Margin..^Margin], finite);
    }

    /// <summary>Fails unless every fast path gives the bytes of the reference.</summary>
    public static void AssertPathsAgree(
        ElementType type, int groupSize, bool symmetric, ReadOnlySpan<byte> source, string what)
    {
        Quantized4Groups expected = Run(type, groupSize, symmetric, source, KernelPath.Reference);
        foreach (KernelPath path in Kernels.FastPaths)
        {
            Quantized4Groups actual = Run(type, groupSize, symmetric, source, path);
            string place = $"{what} {type} group {groupSize} symmetric {symmetric} on {path}";
            AssertSame(expected.Scales, actual.Scales, $"{place}: scale byte");
            AssertSame(expected.ZeroPoints, actual.ZeroPoints, $"{place}: zero point");
            AssertSame(expected.Packed, actual.Packed, $"{place}: packed byte");
            Assert.True(expected.Finite == actual.Finite, $"{place}: finite {actual.Finite}");
        }
    }

    /// <summary>Decodes to a stored format and checks that nothing was written outside the result.</summary>
    public static byte[] Decode(ElementType scaleType, int groupSize, Quantized4Groups weights, ElementType type, KernelPath path)
    {
        byte[] stored = Canary((byte)0xA5, weights.Packed.Length * 2 * type.Size());
        DequantizeGroups4.Run(
            scaleType, groupSize, weights.Packed, weights.Scales, weights.ZeroPoints, type, Inside(stored), path);
        Assert.All(Outside(stored), value => Assert.Equal(0xA5, value));
        return stored[Margin..^Margin];
    }

    /// <summary>Any codes and zero points; scales of any finite bit pattern or, if allowed, any at all.</summary>
    public static Quantized4Groups Random(
        Random random, ElementType scaleType, int groupSize, bool symmetric, int groups, bool anyScale)
    {
        var packed = new byte[groups * groupSize / 2];
        random.NextBytes(packed);
        float[] scales = anyScale
            ? FloatPalette.Mixed(random, groups, nonFinite: true)
            : [.. Enumerable.Range(0, groups).Select(_ => 0.001f + 0.02f * random.NextSingle())];
        sbyte[] zeros = [.. Enumerable.Range(0, symmetric ? 0 : groups).Select(_ => (sbyte)random.Next(-8, 8))];
        return new(packed, Kernels.Store(scaleType, scales), zeros, true);
    }

    public static void AssertSame<T>(T[] expected, T[] actual, string place)
        where T : IEquatable<T>
    {
        int common = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(common == expected.Length && common == actual.Length, $"{place} {common} of {expected.Length}");
    }

    private static T[] Canary<T>(T canary, int length)
    {
        var buffer = new T[length + 2 * Margin];
        Array.Fill(buffer, canary);
        return buffer;
    }

    private static Span<T> Inside<T>(T[] buffer) => buffer.AsSpan(Margin, buffer.Length - 2 * Margin);

    private static T[] Outside<T>(T[] buffer) => [.. buffer[..Margin], .. buffer[^Margin..]];
}
