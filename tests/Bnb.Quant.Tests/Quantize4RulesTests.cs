using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Tests;

/// <summary>The written rules for odd values and shapes, on every path.</summary>
public class Quantize4RulesTests
{
    private static readonly Code4 Nf4 = Code4Catalog.Nf4;
    private static readonly Code4 Fp4 = Code4Catalog.Fp4;

    [Fact]
    public void Pack_TwoValues_PutsTheFirstInTheHighNibble() => OnEveryPath((run, _) =>
    {
        Assert.Equal([0xF0, 0x7F], run(Nf4, [1f, -1f, 0f, 1f]).Packed);
        Assert.Equal([0x3B, 0x03], run(Fp4, [1f, -1f, 0f, 1f]).Packed);
    });

    [Fact]
    public void Pack_OddCount_FillsWithTheCodeOfZero() => OnEveryPath((run, _) =>
    {
        Assert.Equal([0xF7], run(Nf4, [2f]).Packed);
        Assert.Equal([0xB0], run(Fp4, [-2f]).Packed);
        Assert.Equal(2f, run(Nf4, [-2f]).AbsmaxAt(0));
    });

    [Fact]
    public void AllZeroBlock_AnySign_HasCodeZeroAndDecodesToZero() => OnEveryPath((run, _) =>
    {
        foreach (Code4 code in Code4Catalog.All)
        {
            float[] values = new float[97];
            values[3] = values[70] = -0f;
            Quantized result = run(code, values);
            Assert.All(result.Packed, value => Assert.Equal(0, value));
            Assert.All(result.AbsmaxBits, bits => Assert.Equal(0, bits));
            Assert.True(result.Finite);
            var decoded = new float[97];
            Dequantize4.Run(code, 32, result.Packed, [0f, 0f, 0f, 0f], decoded);
            Assert.All(decoded, value => Assert.Equal(0f, Math.Abs(value)));
        }
    });

    [Fact]
    public void NaN_InABlock_HasCodeZeroAndDoesNotCountForAbsmax() => OnEveryPath((run, _) =>
    {
        float[] values = Ramp(64);
        values[5] = float.NaN;
        Quantized result = run(Nf4, values);
        Assert.False(result.Finite);
        Assert.Equal((0, 15, 1f), (result.CodeAt(5), result.CodeAt(31), result.AbsmaxAt(0)));
        Assert.Equal(run(Nf4, Ramp(64)).Packed[3..], result.Packed[3..]);
    });

    [Fact]
    public void NaN_AloneInABlock_GivesAbsmaxZero() => OnEveryPath((run, _) =>
    {
        Quantized result = run(Fp4, [.. Enumerable.Repeat(float.NaN, 32)]);
        Assert.Equal((false, 0f), (result.Finite, result.AbsmaxAt(0)));
        Assert.All(result.Packed, value => Assert.Equal(0, value));
    });

    [Fact]
    public void Infinity_InABlock_FollowsTheRuleAsItIs() => OnEveryPath((run, _) =>
    {
        float[] values = Ramp(64);
        values[40] = float.NegativeInfinity;
        Quantized result = run(Nf4, values);
        Assert.False(result.Finite);
        Assert.Equal((1f, float.PositiveInfinity), (result.AbsmaxAt(0), result.AbsmaxAt(1)));
        // Infinity times 1/infinity is NaN, everything else times it is zero.
        Assert.Equal((0, 7, 7), (result.CodeAt(40), result.CodeAt(41), result.CodeAt(63)));
    });

    [Fact]
    public void TinyAbsmax_WhoseReciprocalOverflows_IsDividedBy() => OnEveryPath((run, type) =>
    {
        if (type == ElementType.F16) return;
        float absmax = BitConverter.Int32BitsToSingle(0x0010_0000);
        Quantized result = run(Nf4, [absmax, -absmax, 0f, absmax / 2]);
        Assert.Equal([0xF0, 0x7C], result.Packed);
        Assert.Equal(absmax, result.AbsmaxAt(0));
    });

    [Fact]
    public void NegativeZero_InFp4_HasNoSign() => OnEveryPath((run, _) =>
    {
        float[] values = Ramp(32);
        values[0] = -0f;
        Assert.Equal(0, run(Fp4, values).CodeAt(0));
    });

    [Fact]
    public void NoValues_GiveNoBytes() => OnEveryPath(
        (run, _) => Assert.True(run(Nf4, []) is { Finite: true, Packed: [], AbsmaxBits: [] }));

    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    [InlineData(48)]
    [InlineData(8192)]
    [InlineData(-64)]
    public void Run_UnsupportedBlocksize_Throws(int blocksize) => Assert.Throws<ArgumentOutOfRangeException>(
        () => Quantize4.Run(Nf4, ElementType.F32, blocksize, [], [], [], KernelPath.Reference));

    [Fact]
    public void Run_WrongLengths_SayWhatWasExpected()
    {
        Assert.Contains("7 bytes", Message(7, 1, 1), StringComparison.Ordinal);
        Assert.Contains("expected length 2, found 1", Message(65 * 4, 1, 33), StringComparison.Ordinal);
        Assert.Contains("expected length 33, found 32", Message(65 * 4, 2, 32), StringComparison.Ordinal);

        static string Message(int source, int absmax, int packed) => Assert.ThrowsAny<ArgumentException>(
            () => Quantize4.Run(
                Nf4, ElementType.F32, 64, new byte[source], new float[absmax], new byte[packed], KernelPath.Reference)).Message;
    }

    [Fact]
    public void Dequantize_WrongLengths_Throw()
    {
        Assert.Throws<ArgumentException>(() => Dequantize4.Run(Nf4, 64, new byte[3], new float[1], new float[4]));
        Assert.Throws<ArgumentException>(() => Dequantize4.Run(Nf4, 64, new byte[2], new float[2], new float[4]));
    }

    private static float[] Ramp(int count) => [.. Enumerable.Range(0, count).Select(i => ((i % 32) + 1) / 32f)];

    private static void OnEveryPath(Action<Func<Code4, float[], Quantized>, ElementType> check)
    {
        foreach (KernelPath path in KernelPaths.Available)
        {
            foreach (ElementType type in Kernels.Types)
            {
                check((code, values) => Kernels.Run(code, type, 32, Kernels.Store(type, values), path), type);
            }
        }
    }
}
