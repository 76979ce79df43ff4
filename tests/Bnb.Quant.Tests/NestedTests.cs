using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>8-bit blockwise codes, the mean, and nested absmax.</summary>
public class NestedTests
{
    [Fact]
    public void Blockwise8_MixedValuesOnEveryPath_GiveTheBytesOfTheReference()
    {
        for (int seed = 0; seed < 24; seed++)
        {
            float[] source = FloatPalette.Mixed(new Random(seed), 2000 + seed, nonFinite: seed % 2 == 0);
            foreach (int blocksize in (int[])[32, 256, 4096]) AssertPathsAgree(source, blocksize, $"seed {seed}");
        }
    }

    [Fact]
    public void Blockwise8_EveryLengthTo257OnEveryPath_GivesTheBytesOfTheReference()
    {
        float[] source = FloatPalette.Mixed(new Random(77), 257, nonFinite: true);
        for (int count = 0; count <= 257; count++) AssertPathsAgree(source[..count], 64, $"count {count}");
    }

    [Fact]
    public void Blockwise8_RoundTrip_StaysWithinHalfTheWidestGap()
    {
        float[] source = FloatPalette.Normals(3, 5000), decoded = new float[5000];
        (byte[] codes, float[] absmax) = Quantize8(source, 256, KernelPaths.Selected);
        Blockwise8.Dequantize(codes, 256, absmax, decoded);
        // The widest gap is 0.9 / 64; the negative end, which lacks -1, is off by half of that.
        for (int i = 0; i < source.Length; i++) Assert.InRange(Math.Abs(decoded[i] - source[i]), 0, 0.00704f * absmax[i / 256]);
    }

    [Fact]
    public void Blockwise8_AllZeroBlock_HasCodeZero()
    {
        foreach (KernelPath path in KernelPaths.Available)
        {
            (byte[] codes, float[] absmax) = Quantize8(new float[40], 32, path);
            Assert.All(codes, code => Assert.Equal(0, code));
            Assert.Equal([0f, 0f], absmax);
        }
    }

    [Fact]
    public void NestedAbsmax_EqualValues_DecodeToTheirMean()
    {
        float[] absmax = [.. Enumerable.Repeat(0.375f, 300)];
        float mean = AbsmaxMean.Of(absmax);
        Assert.Equal(0.375f, mean);
        foreach (KernelPath path in KernelPaths.Available)
        {
            var codes = new byte[300];
            var nested = new float[2];
            NestedAbsmax.Quantize(absmax, mean, codes, nested, path);
            Assert.All(codes, code => Assert.Equal(0, code));
            var decoded = new float[300];
            NestedAbsmax.Dequantize(codes, nested, mean, decoded);
            Assert.Equal(absmax, decoded);
        }
    }

    [Fact]
    public void NestedAbsmax_OnEveryPath_IsBlockwise8OfTheDifferences()
    {
        float[] absmax = [.. FloatPalette.Normals(9, 1003, 0.1f).Select(MathF.Abs)];
        float mean = AbsmaxMean.Of(absmax);
        float[] differences = [.. absmax.Select(value => value - mean)];
        (byte[] expected, float[] expectedNested) = Quantize8(differences, 256, KernelPath.Reference);
        foreach (KernelPath path in KernelPaths.Available)
        {
            var codes = new byte[1003];
            var nested = new float[4];
            NestedAbsmax.Quantize(absmax, mean, codes, nested, path);
            Assert.Equal(expected, codes);
            Assert.Equal(expectedNested, nested);
            var decoded = new float[1003];
            NestedAbsmax.Dequantize(codes, nested, mean, decoded);
            for (int i = 0; i < decoded.Length; i++)
            {
                Assert.InRange(Math.Abs(decoded[i] - absmax[i]), 0, 0.0072f * nested[i / 256]);
            }
        }
    }

    [Fact]
    public void NestedAbsmax_InBFloat16_IsWhatTheLibraryDecodes()
    {
        GoldenTensors saved = GoldenTensors.Load("cpu_forward", "model.safetensors");
        float[] expected = GoldenTensors.Load("cpu_forward", "expected.safetensors").Floats("lin.weight.absmax");
        var decoded = new float[expected.Length];

        NestedAbsmax.DequantizeBFloat16(
            saved.Bytes("lin.weight.absmax"), saved.Floats("lin.weight.nested_quant_map"), saved.Floats("lin.weight.nested_absmax"), 2.609375f, decoded);

        Assert.Equal(expected, decoded);
    }

    [Fact]
    public void AbsmaxMean_AnyChunksInAnyOrder_GiveTheSameBits()
    {
        float[] absmax = [.. FloatPalette.Normals(4, 10_007).Select(MathF.Abs)];
        float whole = AbsmaxMean.Of(absmax);
        foreach (int chunk in (int[])[1, 255, 256, 2560, 9984])
        {
            var mean = new AbsmaxMean();
            Parallel.ForEach(absmax.Chunk(chunk).Reverse(), part => mean.Add(part));
            Assert.Equal(BitConverter.SingleToInt32Bits(whole), BitConverter.SingleToInt32Bits(mean.Value));
        }

        // Decimal arithmetic is exact enough to be the judge.
        Assert.Equal((float)(double)(absmax.Sum(value => (decimal)(double)value) / absmax.Length), whole);
    }

    [Fact]
    public void AbsmaxMean_Edges_AreAsWritten()
    {
        Assert.Equal(0f, AbsmaxMean.Of([]));
        Assert.Equal(1.5f, AbsmaxMean.Of([1f, 2f]));
        Assert.Equal(float.PositiveInfinity, AbsmaxMean.Of([1f, float.PositiveInfinity]));
        Assert.True(float.IsNaN(AbsmaxMean.Of([1f, float.NaN])));
    }

    [Fact]
    public void Lengths_ThatDisagree_Throw()
    {
        Assert.Throws<ArgumentException>(
            () => Blockwise8.Quantize(new float[3], 32, new byte[2], new float[1], KernelPath.Reference));
        Assert.Throws<ArgumentException>(() => Blockwise8.Dequantize(new byte[3], 32, new float[2], new float[3]));
        Assert.Throws<ArgumentException>(
            () => NestedAbsmax.Quantize(new float[257], 0, new byte[257], new float[1], KernelPath.Reference));
        Assert.Throws<ArgumentOutOfRangeException>(() => Blockwise8.Dequantize([], 100, [], []));
    }

    private static void AssertPathsAgree(float[] source, int blocksize, string what)
    {
        (byte[] expected, float[] expectedAbsmax) = Quantize8(source, blocksize, KernelPath.Reference);
        foreach (KernelPath path in KernelPaths.Available)
        {
            (byte[] codes, float[] absmax) = Quantize8(source, blocksize, path);
            Assert.True(expected.AsSpan().SequenceEqual(codes), $"{what} block {blocksize} on {path}");
            Assert.True(MemoryMarshal.AsBytes<float>(expectedAbsmax).SequenceEqual(MemoryMarshal.AsBytes<float>(absmax)), what);
        }
    }

    private static (byte[] Codes, float[] Absmax) Quantize8(float[] source, int blocksize, KernelPath path)
    {
        var codes = new byte[source.Length];
        var absmax = new float[BlockGrid.BlockCount(source.Length, blocksize)];
        Blockwise8.Quantize(source, blocksize, codes, absmax, path);
        return (codes, absmax);
    }
}
