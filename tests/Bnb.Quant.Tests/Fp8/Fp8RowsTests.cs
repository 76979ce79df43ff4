using Bnb.Quant.Backends;
using Bnb.Quant.Fp8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests.Fp8;

/// <summary>FP8 rows as compressed-tensors writes them, and the rule behind them.</summary>
public class Fp8RowsTests
{
    public static TheoryData<ElementType> Types() => [.. Kernels.Types];

    [Theory]
    [InlineData("edges_bf16")]
    [InlineData("edges_f16")]
    [InlineData("edges_f32")]
    [InlineData("normal_bf16")]
    [InlineData("normal_f16")]
    [InlineData("normal_f32")]
    [InlineData("wide_bf16")]
    [InlineData("wide_f16")]
    [InlineData("wide_f32")]
    public void Quantize_GoldenInput_GivesGoldenBytes(string name)
    {
        GoldenTensors source = GoldenTensors.Load("fp8_quantize", "source.safetensors");
        GoldenTensors expected = GoldenTensors.Load("fp8_quantize", "expected.safetensors");
        var type = Enum.Parse<ElementType>(source.Dtype(name));
        foreach (KernelPath path in KernelPaths.Available)
        {
            (byte[] codes, byte[] scales, bool finite) = Quantize(type, (int)source.Shape(name)[1], source.Bytes(name), path);
            Assert.Equal(expected.Bytes(name + ".weight_scale"), scales);
            Assert.Equal(expected.Bytes(name + ".weight"), codes);
            Assert.True(finite);
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Quantize_EveryWidth_IsThatOfTheReference(ElementType type)
    {
        var random = new Random(81);
        for (int columns = 1; columns <= 70; columns++)
        {
            byte[] values = Kernels.Store(type, FloatPalette.Mixed(random, 5 * columns, nonFinite: true));
            var expected = Quantize(type, columns, values, KernelPath.Reference);
            foreach (KernelPath path in Kernels.FastPaths)
            {
                var actual = Quantize(type, columns, values, path);
                Assert.Equal(expected.Codes, actual.Codes);
                Assert.Equal(expected.Scales, actual.Scales);
                Assert.Equal(expected.Finite, actual.Finite);
            }
        }
    }

    [Fact]
    public void Encode_EveryBFloat16_IsTheNearestCode()
    {
        double[] values = [.. Enumerable.Range(0, 0x7F).Select(Value)];
        byte[] stored = [.. Enumerable.Range(0, 0x10000).SelectMany(bits => BitConverter.GetBytes((ushort)bits))];
        foreach (KernelPath path in KernelPaths.Available)
        {
            var codes = new byte[0x10000];
            QuantizeFp8Rows.Encode(ElementType.BF16, stored, 1f, codes, path);
            for (int bits = 0; bits < codes.Length; bits++)
            {
                float value = BitConverter.UInt32BitsToSingle((uint)bits << 16);
                int magnitude = codes[bits] & 0x7F;
                Assert.Equal(float.IsNaN(value), codes[bits] == 0x7F);
                if (float.IsNaN(value)) continue;
                Assert.Equal(bits >> 15, codes[bits] >> 7);
                double wanted = Math.Min(Math.Abs((double)value), 448), own = Math.Abs(values[magnitude] - wanted);
                foreach (int other in (int[])[magnitude - 1, magnitude + 1])
                {
                    if (other is < 0 or > 0x7E) continue;
                    double distance = Math.Abs(values[other] - wanted);
                    Assert.True(own < distance || (own == distance && magnitude % 2 == 0), $"{value} on {path}");
                }
            }
        }
    }

    [Fact]
    public void RowAbsmax_InPieces_IsThatOfTheRow()
    {
        float[] values = FloatPalette.Normals(82, 3000);
        foreach (ElementType type in Kernels.Types)
        {
            byte[] stored = Kernels.Store(type, values);
            float whole = 0f, pieces = 0f;
            Assert.True(QuantizeFp8Rows.RowAbsmax(type, stored, ref whole));
            for (int start = 0; start < stored.Length; start += 700 * type.Size())
                QuantizeFp8Rows.RowAbsmax(type, stored.AsSpan(start, Math.Min(700 * type.Size(), stored.Length - start)), ref pieces);
            Assert.Equal(whole, pieces);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void RowAbsmax_OfANonFiniteValue_SaysSo(float odd)
    {
        float absmax = 0f;
        Assert.False(QuantizeFp8Rows.RowAbsmax(ElementType.F32, Kernels.Store(ElementType.F32, [1f, odd, 2f]), ref absmax));
        Assert.Equal(MathF.Abs(odd), absmax);
    }

    private static double Value(int code) =>
        code < 8 ? code * Math.Pow(2, -9) : (8 + (code & 7)) * Math.Pow(2, (code >> 3) - 10);

    private static (byte[] Codes, byte[] Scales, bool Finite) Quantize(ElementType type, int columns, byte[] values, KernelPath path)
    {
        int rowBytes = columns * type.Size(), rows = values.Length / rowBytes;
        var codes = new byte[rows * columns];
        var scales = new byte[rows * type.Size()];
        bool finite = true;
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<byte> piece = values.AsSpan(row * rowBytes, rowBytes);
            float absmax = 0f;
            finite &= QuantizeFp8Rows.RowAbsmax(type, piece, ref absmax);
            float scale = QuantizeFp8Rows.Scale(type, absmax, scales.AsSpan(row * type.Size(), type.Size()));
            QuantizeFp8Rows.Encode(type, piece, scale, codes.AsSpan(row * columns, columns), path);
        }

        return (codes, scales, finite);
    }
}
