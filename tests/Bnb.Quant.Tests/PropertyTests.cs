using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;
using FsCheck;
using FsCheck.Fluent;

namespace Bnb.Quant.Tests;

/// <summary>What must hold for any input. FsCheck prints the seed of a failure.</summary>
public class PropertyTests
{
    private static readonly int[] Blocksizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];

    private static readonly Gen<(int Seed, int Count, int Blocksize, Code4 Code, ElementType Type)> Inputs =
        from seed in Gen.Choose(0, int.MaxValue - 1)
        from count in Gen.Choose(0, 3000)
        from blocksize in Gen.Elements(Blocksizes)
        from code in Gen.Elements(Code4Catalog.All.ToArray())
        from type in Gen.Elements(Kernels.Types)
        select (seed, count, blocksize, code, type);

    [Fact]
    public void Paths_AnyInput_Agree() => Prop.ForAll(Inputs.ToArbitrary(), input =>
    {
        byte[] source = Kernels.Store(input.Type, FloatPalette.Mixed(new Random(input.Seed), input.Count, nonFinite: true));
        Kernels.AssertPathsAgree(input.Code, input.Type, input.Blocksize, source, $"{input}");
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void RoundTrip_AnyFiniteInput_StaysWithinHalfTheWidestGap() => Prop.ForAll(Inputs.ToArbitrary(), input =>
    {
        float[] values = FloatPalette.Normals(input.Seed, input.Count, 0.05f);
        Quantized result = Kernels.Run(input.Code, input.Blocksize, values);
        var decoded = new float[values.Length];
        Dequantize4.Run(input.Code, input.Blocksize, result.Packed, result.Absmax, decoded);

        float[] table = [.. input.Code.Values.ToArray().Order()];
        double widest = table.Zip(table.Skip(1), (low, high) => (double)high - low).Max();
        for (int i = 0; i < values.Length; i++)
        {
            // The slack covers the roundings of reciprocal, products and, in fp4, thresholds: a few units of 2^-24 and 4e-7.
            double bound = (widest / 2 + 1e-6) * result.AbsmaxAt(i / input.Blocksize);
            Assert.InRange(Math.Abs((double)decoded[i] - values[i]), 0, bound);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Quantize_AnyInput_HasTheBlocksOwnMaximum() => Prop.ForAll(Inputs.ToArbitrary(), input =>
    {
        float[] values = FloatPalette.Normals(input.Seed, input.Count);
        Quantized result = Kernels.Run(input.Code, input.Blocksize, values);
        float[] expected = [.. values.Chunk(input.Blocksize).Select(block => block.Max(MathF.Abs))];
        Assert.Equal(expected, result.Absmax);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Nibbles_AnyPair_ComeBack()
    {
        for (int pair = 0; pair < 256; pair++)
        {
            byte packed = Nibbles.Pack((byte)(pair >> 4), (byte)(pair & 15));
            Assert.Equal((pair >> 4, pair & 15), (Nibbles.CodeAt([packed], 0), Nibbles.CodeAt([packed], 1)));
        }
    }

    [Fact]
    public void RequantizingDecodedValues_AnyInput_GivesTheSameCodes() => Prop.ForAll(Inputs.ToArbitrary(), input =>
    {
        // A block that holds both ends of its table keeps its absmax, so every code must survive.
        var random = new Random(input.Seed);
        var values = new float[input.Count / 32 * 32];
        ReadOnlySpan<float> table = input.Code.Values.Span;
        for (int i = 0; i < values.Length; i++) values[i] = i % 32 == 0 ? 3f : table[random.Next(16)] * 3f;
        Quantized result = Kernels.Run(input.Code, 32, values);
        for (int i = 0; i < values.Length; i++) Assert.Equal(values[i], table[result.CodeAt(i)] * 3f);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Chunks_OfAnyMultipleOfTwoBlocks_GiveTheBytesOfTheWhole() => Prop.ForAll(Inputs.ToArbitrary(), input =>
    {
        byte[] source = Kernels.Store(input.Type, FloatPalette.Mixed(new Random(input.Seed), input.Count, nonFinite: true));
        Quantized whole = Kernels.Run(input.Code, input.Type, input.Blocksize, source, KernelPaths.Selected);
        int chunk = 2 * input.Blocksize * (1 + input.Seed % 3) * input.Type.Size();
        Quantized[] parts =
        [
            .. source.Chunk(chunk)
                .Select(part => Kernels.Run(input.Code, input.Type, input.Blocksize, part, KernelPaths.Selected)),
        ];
        Assert.Equal(whole.Packed, parts.SelectMany(part => part.Packed));
        Assert.Equal(whole.AbsmaxBits, parts.SelectMany(part => part.AbsmaxBits));
        Assert.Equal(whole.Finite, parts.All(part => part.Finite));
    }).QuickCheckThrowOnFailure();

    /// <summary>The mean absolute errors that bitsandbytes publishes for N(0, 1) in blocks of 64.</summary>
    [Theory]
    [InlineData("nf4", 0.072798)]
    [InlineData("fp4", 0.096543)]
    public void MeanAbsoluteError_OfNormalValues_IsThePublishedOne(string name, double published)
    {
        Code4 code = Code4Catalog.ByName(name);
        float[] values = FloatPalette.Normals(2024, 1 << 20);
        Quantized result = Kernels.Run(code, 64, values);
        var decoded = new float[values.Length];
        Dequantize4.Run(code, 64, result.Packed, result.Absmax, decoded);

        // Values of a block share an absmax, so the blocks are the independent observations.
        double[] errors = [.. values.Zip(decoded, (a, b) => Math.Abs((double)a - b)).Chunk(64).Select(block => block.Average())];
        double mean = errors.Average();
        double sigma = Math.Sqrt(errors.Sum(error => (error - mean) * (error - mean)) / (errors.Length - 1) / errors.Length);
        Assert.InRange(mean, published - 7 * sigma, published + 7 * sigma);
        Assert.InRange(sigma, 0, 0.002 * published);
    }
}
