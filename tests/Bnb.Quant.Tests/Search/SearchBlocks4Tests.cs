using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;
using Bnb.TestKit;

namespace Bnb.Quant.Tests.Search;

/// <summary>The search for the scales of nf4 and fp4: equal to its definition on every path, and the best there is.</summary>
public class SearchBlocks4Tests
{
    public static TheoryData<string, ElementType, bool> Forms()
    {
        var data = new TheoryData<string, ElementType, bool>();
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (ElementType type in Kernels.Types)
            {
                data.Add(code.Name, type, false);
                data.Add(code.Name, type, true);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Run_AnyValues_GivesTheDefinitionsBytesOnEveryPath(string name, ElementType type, bool nested)
    {
        Code4 code = Code4Catalog.ByName(name);
        foreach (int blocksize in (int[])[32, 64, 128])
        {
            int count = (18 * blocksize) + 5;
            float[] values = FloatPalette.Mixed(new Random(31 + blocksize), count, nonFinite: false);
            values.AsSpan(0, 4 * blocksize).Clear();
            FloatPalette.Normals(7, 6 * blocksize, 0.02f).CopyTo(values, 2 * blocksize);
            AssertPathsAgree(code, type, blocksize, nested, values, importance: null);
            AssertPathsAgree(code, type, blocksize, nested, values, Weights(blocksize + 3));
        }
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("fp4")]
    public void Run_ValuesOnTheTablesGrid_GivesTheDefinitionsBytesOnEveryPath(string name)
    {
        // Blocks that decode exactly, repeat values and have many equally good scales.
        Code4 code = Code4Catalog.ByName(name);
        var random = new Random(5);
        var values = new float[64 * 12];
        for (int i = 0; i < values.Length; i++)
        {
            int block = i / 64;
            values[i] = block switch
            {
                < 4 => code.Values.Span[random.Next(16)] * (block + 1),
                < 8 => random.Next(-3, 4) * 0.25f,
                8 => i % 64 == 17 ? 0.75f : 0f,
                9 => 0.5f,
                _ => random.Next(2) == 0 ? -1f : 1f,
            };
        }

        foreach (bool nested in (bool[])[false, true]) AssertPathsAgree(code, ElementType.F32, 64, nested, values, importance: null);
    }

    [Theory]
    [InlineData("nf4", false)]
    [InlineData("nf4", true)]
    [InlineData("fp4", false)]
    [InlineData("fp4", true)]
    public void Run_NormalWeights_IsNeverWorseThanAnyScaleItCompares(string name, bool nested)
    {
        Code4 code = Code4Catalog.ByName(name);
        float[] values = FloatPalette.Normals(91, 64 * 8, 0.03f);
        float[] importance = Weights(64);
        foreach (float[]? weights in (float[]?[])[null, importance])
        {
            Searched found = Searched.Run(code, ElementType.F32, 64, nested, Kernels.Store(ElementType.F32, values), KernelPaths.Selected, weights);
            for (int block = 0; block < 8; block++)
            {
                float[] x = values[(64 * block)..(64 * (block + 1))];
                double error = ErrorOf(code, x, found.Scales[block], weights);
                IEnumerable<float> scales = nested
                    ? NestedScalesOf(found.GroupAbsmax[0])
                    : ScaleProof.Candidates(1e-4f, 4f, SearchBlocks4.SignificantBits, bothSigns: true);
                double best = scales.Where(scale => scale != 0).Min(scale => ErrorOf(code, x, scale, weights));
                Assert.True(error <= best * (1 + 1e-9), $"block {block}: {error:R} at {found.Scales[block]:R}, another has {best:R}");
            }
        }
    }

    [Theory]
    [InlineData("nf4", false, 0.18)]
    [InlineData("nf4", true, 0.14)]
    [InlineData("fp4", false, 0.13)]
    [InlineData("fp4", true, 0.13)]
    public void Run_NormalWeights_GainsWhatIsPromised(string name, bool nested, double least)
    {
        Code4 code = Code4Catalog.ByName(name);
        float[] values = FloatPalette.Normals(3, 64 * 1024, 0.02f);
        byte[] source = Kernels.Store(ElementType.F32, values);
        Quantized plain = Kernels.Run(code, ElementType.F32, 64, source, KernelPaths.Selected);
        float[] absmax = plain.Absmax;
        if (nested)
        {
            var codes = new byte[absmax.Length];
            var nestedAbsmax = new float[absmax.Length / 256];
            float offset = AbsmaxMean.Of(absmax);
            NestedAbsmax.Quantize(absmax, offset, codes, nestedAbsmax, KernelPaths.Selected);
            NestedAbsmax.Dequantize(codes, nestedAbsmax, offset, absmax);
        }

        double before = new Searched(plain.Packed, absmax, [], [], true).Error(code, 64, values);
        double after = Searched.Run(code, ElementType.F32, 64, nested, source, KernelPaths.Selected).Error(code, 64, values);
        Assert.InRange(1 - (after / before), least, 0.25);
    }

    [Theory]
    [InlineData("nf4", 0.0123456f)]
    [InlineData("nf4", -0.0123456f)]
    [InlineData("fp4", 7.654321f)]
    public void Run_ValuesThatSomeScaleMakesExactly_FindsIt(string name, float scale)
    {
        // What a 4-bit checkpoint decodes to: the scale has all of float32's bits.
        Code4 code = Code4Catalog.ByName(name);
        var random = new Random(21);
        float[] values = [.. Enumerable.Range(0, 64 * 8).Select(_ => code.Values.Span[random.Next(16)] * scale)];
        Searched found = Searched.Run(code, ElementType.F32, 64, false, Kernels.Store(ElementType.F32, values), KernelPaths.Selected);
        double energy = values.Sum(value => (double)value * value);
        Assert.InRange(found.Error(code, 64, values), 0, energy * 1e-13);
    }

    [Fact]
    public void ScaleProof_FoundAndOtherScales_TellsTheBestFromTheRest()
    {
        float[] values = FloatPalette.Normals(22, 64, 0.02f), importance = Weights(64);
        byte[] source = Kernels.Store(ElementType.F32, values);
        float best = Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, false, source, KernelPaths.Selected, importance).Scales[0];
        float absmax = values.Max(MathF.Abs);
        ReadOnlySpan<float> table = Code4Catalog.Nf4.Values.Span;
        float[] all = [.. ScaleProof.Candidates(absmax / 4, absmax * 2, SearchBlocks4.SignificantBits, bothSigns: true)];
        Assert.InRange(all.Length, 2 * 3 * 128, 2 * ((3 * 128) + 1));
        Assert.False(ScaleProof.IsBeaten(table, values, new ColumnImportance(importance, 0), 0, best, all));
        Assert.True(ScaleProof.IsBeaten(table, values, new ColumnImportance(importance, 0), 0, absmax, all));
        Assert.True(ScaleProof.IsBeaten(table, values, new ColumnImportance(importance, 0), 0, 0f, all));
    }

    [Fact]
    public void Run_Importance_TradesErrorTowardsTheChannelsThatMatter()
    {
        float[] values = FloatPalette.Normals(12, 64 * 64);
        float[] importance = new float[64];
        for (int i = 0; i < 64; i++) importance[i] = i % 8 == 3 ? 50 : 1;
        byte[] source = Kernels.Store(ElementType.F32, values);
        double without = Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, false, source, KernelPaths.Selected).Error(Code4Catalog.Nf4, 64, values, importance);
        double with = Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, false, source, KernelPaths.Selected, importance).Error(Code4Catalog.Nf4, 64, values, importance);
        Assert.InRange(with / without, 0, 0.9);
    }

    [Fact]
    public void Run_ImportanceFromAnyPlaceOfARow_WeighsEachValueByItsColumn()
    {
        // 48 columns: blocks of 64 reach over rows, so a piece that starts at a later block has another phase.
        float[] importance = Weights(48), values = FloatPalette.Normals(13, 64 * 12);
        byte[] source = Kernels.Store(ElementType.F32, values);
        Searched whole = Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, false, source, KernelPaths.Selected, importance);
        Searched rest = Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, false, source.AsSpan(64 * 5 * 4), KernelPaths.Selected, importance, 64 * 5);
        Assert.Equal(whole.Scales[5..], rest.Scales);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_Pieces_GiveTheBytesOfTheWhole(bool nested)
    {
        const int piece = 32 * 256;
        float[] values = FloatPalette.Normals(14, (2 * piece) + 77);
        byte[] source = Kernels.Store(ElementType.BF16, values);
        Searched whole = Searched.Run(Code4Catalog.Nf4, ElementType.BF16, 32, nested, source, KernelPaths.Selected);
        var packed = new List<byte>();
        var scales = new List<float>();
        for (int start = 0; start < values.Length; start += piece)
        {
            int end = Math.Min(start + piece, values.Length);
            Searched part = Searched.Run(Code4Catalog.Nf4, ElementType.BF16, 32, nested, source.AsSpan(2 * start, 2 * (end - start)), KernelPaths.Selected);
            packed.AddRange(part.Packed);
            scales.AddRange(part.Scales);
        }

        Assert.Equal(whole.Packed, packed);
        Assert.Equal(whole.Scales, scales);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_AllZero_IsWrittenAsWithoutASearch(bool nested)
    {
        Searched found = Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, nested, new byte[4 * 101], KernelPaths.Selected);
        Assert.All(found.Packed, value => Assert.Equal(0, value));
        Assert.All(found.Scales, scale => Assert.Equal(0f, scale));
    }

    [Fact]
    public void Run_OddCount_PadsWithTheCodeOfZero()
    {
        byte[] source = Kernels.Store(ElementType.F32, FloatPalette.Normals(15, 67));
        Assert.Equal(Code4Catalog.Nf4.ZeroCode, Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, false, source, KernelPaths.Selected).Packed[^1] & 15);
        Assert.Equal(Code4Catalog.Fp4.ZeroCode, Searched.Run(Code4Catalog.Fp4, ElementType.F32, 64, true, source, KernelPaths.Selected).Packed[^1] & 15);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void Run_ValueThatIsNotFinite_IsReported(float value)
    {
        float[] values = FloatPalette.Normals(16, 640);
        values[333] = value;
        byte[] source = Kernels.Store(ElementType.F32, values);
        Assert.False(Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, false, source, KernelPaths.Selected).Finite);
        Assert.False(Searched.Run(Code4Catalog.Nf4, ElementType.F32, 64, true, source, KernelPaths.Selected).Finite);
    }

    [Fact]
    public void ColumnImportance_NegativeOrNotFinite_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => new ColumnImportance([1f, -1f], 0).Of(0, 1, new float[1]).Length);
        Assert.Throws<ArgumentException>(() => new ColumnImportance([1f, float.NaN], 0).Of(0, 1, new float[1]).Length);
    }

    private static void AssertPathsAgree(Code4 code, ElementType type, int blocksize, bool nested, float[] values, float[]? importance)
    {
        // float16 has no room for all of the palette.
        byte[] source = Kernels.Store(type, type == ElementType.F16 ? [.. values.Select(value => Math.Clamp(value, -6e4f, 6e4f))] : values);
        Searched expected = Searched.Run(code, type, blocksize, nested, source, KernelPath.Reference, importance);
        foreach (KernelPath path in Kernels.FastPaths)
        {
            Searched.AssertEqual(expected, Searched.Run(code, type, blocksize, nested, source, path, importance), $"{code} {type} block {blocksize} nested {nested} on {path}");
        }
    }

    private static float[] Weights(int columns)
    {
        var random = new Random(columns);
        return [.. Enumerable.Range(0, columns).Select(i => i % 11 == 4 ? 0f : (float)Math.Exp(4 * FloatPalette.Normal(random)))];
    }

    private static float[] NestedScalesOf(float nestedAbsmax)
    {
        var scales = new float[256];
        NestedAbsmax.Dequantize([.. Enumerable.Range(0, 256).Select(code => (byte)code)], [nestedAbsmax], 0f, scales);
        return scales;
    }

    /// <summary>The least error that any codes have under a scale, by trying all 16 for every value.</summary>
    private static double ErrorOf(Code4 code, float[] x, float scale, float[]? weights)
    {
        double sum = 0, largest = weights?.Max() ?? 1;
        for (int i = 0; i < x.Length; i++)
        {
            double least = double.PositiveInfinity;
            foreach (float value in code.Values.Span) least = Math.Min(least, (x[i] - ((double)scale * value)) * (x[i] - ((double)scale * value)));
            sum += least * (weights is null ? 1 : Math.Max(weights[i] / largest, 9.536743e-7));
        }

        return sum;
    }
}
