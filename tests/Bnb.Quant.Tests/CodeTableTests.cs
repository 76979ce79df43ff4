using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;

namespace Bnb.Quant.Tests;

/// <summary>The derived tables against the published ones, and the decisions against the tables.</summary>
public class CodeTableTests
{
    private static readonly float[] PublishedNf4 =
    [
        -1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
        -0.09105003625154495f, 0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1f,
    ];

    [Fact]
    public void Nf4Values_DerivedFromQuantiles_AreThePublishedOnes() =>
        Assert.Equal(Bits(PublishedNf4), Bits(Code4Catalog.Nf4.Values.ToArray()));

    [Fact]
    public void Nf4Thresholds_Published_AreTheMidpointsAsFloat32()
    {
        for (int i = 0; i < 15; i++)
        {
            Assert.Equal((float)(((double)PublishedNf4[i] + PublishedNf4[i + 1]) / 2), Nf4.Thresholds[i]);
        }
    }

    [Fact]
    public void Fp4Values_Derived_HaveTheBitsOfStoredCheckpoints()
    {
        uint[] expected =
        [
            0x00000000, 0x3BAAAAAB, 0x3F2AAAAB, 0x3F800000, 0x3EAAAAAB, 0x3F000000, 0x3E2AAAAB, 0x3E800000,
            0x00000000, 0xBBAAAAAB, 0xBF2AAAAB, 0xBF800000, 0xBEAAAAAB, 0xBF000000, 0xBE2AAAAB, 0xBE800000,
        ];
        Assert.Equal(expected, Code4Catalog.Fp4.Values.ToArray().Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void ZeroCode_OfEachType_DecodesToZero()
    {
        Assert.Equal((7, 0), (Code4Catalog.Nf4.ZeroCode, Code4Catalog.Fp4.ZeroCode));
        Assert.All(Code4Catalog.All, code => Assert.Equal(0f, code.Values.Span[code.ZeroCode]));
    }

    [Fact]
    public void Encode_EveryTableValue_ReturnsItsCode()
    {
        for (int code = 0; code < 16; code++)
        {
            Assert.Equal(code, Nf4.Encode(Code4Catalog.Nf4.Values.Span[code]));
            // Code 8 is a second zero that no value reaches but a negative one of tiny size.
            Assert.Equal(code == 8 ? 0 : code, Fp4.Encode(Code4Catalog.Fp4.Values.Span[code]));
        }

        Assert.Equal((8, 0, 0), (Fp4.Encode(-float.Epsilon), Fp4.Encode(-0f), Fp4.Encode(float.NaN)));
        Assert.Equal((7, 0), (Nf4.Encode(-0f), Nf4.Encode(float.NaN)));
    }

    [Fact]
    public void Encode_DenseSweep_IsTheNearestValue()
    {
        foreach (Code4 code in Code4Catalog.All)
        {
            Func<float, byte> encode = code == Code4Catalog.Nf4 ? Nf4.Encode : Fp4.Encode;
            for (int i = -20_000; i <= 20_000; i++)
            {
                float x = i / 20_000f;
                float best = code.Values.ToArray().Min(value => Math.Abs(value - x));
                // The fp4 kernel's decimal thresholds are up to 4e-7 off the midpoints, so a tie may go the other way.
                Assert.InRange(Math.Abs(code.Values.Span[encode(x)] - x), best, best + 1e-6f);
            }
        }
    }

    [Fact]
    public void Catalog_UnknownName_ListsTheKnownOnes()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => Code4Catalog.ByName("NF4"));
        Assert.Contains("'NF4'", error.Message, StringComparison.Ordinal);
        Assert.Contains("nf4, fp4", error.Message, StringComparison.Ordinal);
        Assert.Same(Code4Catalog.Fp4, Code4Catalog.ByName("fp4"));
    }

    [Fact]
    public void BucketTable_EachType_HoldsEveryThresholdOnce()
    {
        Assert.Equal(Nf4.Thresholds.ToArray(), BucketTable<Nf4>.Bounds.Where(float.IsFinite).Order());
        Assert.Equal(Fp4.Thresholds.ToArray(), BucketTable<Fp4>.Bounds.Where(float.IsFinite).Order());
    }

    [Fact]
    public void DynamicCode_AroundEveryValueAndMidpoint_IsTheKernelsSearch()
    {
        float[] values = DynamicCode8.Values.ToArray();
        Assert.Equal((256, 0f, 1f), (values.Length, values[127], values[255]));
        for (int code = 0; code < 255; code++)
        {
            foreach (float centre in new[] { values[code], values[code + 1], (values[code] + values[code + 1]) * 0.5f })
            {
                int bits = BitConverter.SingleToInt32Bits(centre);
                for (int ulps = -64; ulps <= 64; ulps++) AssertDynamic(BitConverter.Int32BitsToSingle(bits + ulps));
            }
        }
    }

    [Fact]
    public void DynamicCode_SweepAndOddValues_IsTheKernelsSearch()
    {
        for (int i = -300_000; i <= 300_000; i++) AssertDynamic(i / 280_000f);
        for (int bits = 0; bits < 0x3F80_0000; bits += 4099)
        {
            AssertDynamic(BitConverter.Int32BitsToSingle(bits));
            AssertDynamic(-BitConverter.Int32BitsToSingle(bits));
        }

        foreach (float value in TestKit.FloatPalette.Finite.Concat(TestKit.FloatPalette.NonFinite)) AssertDynamic(value);
        Assert.Equal((0, 127, 255), (DynamicCode8.Encode(float.NaN), DynamicCode8.Encode(-0f), DynamicCode8.Encode(7f)));
    }

    private static void AssertDynamic(float x)
    {
        if (DynamicCode8.EncodeReference(x) != DynamicCode8.Encode(x)) Assert.Fail($"{x:R}: {DynamicCode8.Encode(x)}");
    }

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];
}
