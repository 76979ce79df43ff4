using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Widening and narrowing between float32 and the stored formats, scalar and in vectors of every width.</summary>
public class DequantizeRoundingTests
{
    [Theory]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Widen_EveryPattern_IsExactAndComesBack(ElementType type)
    {
        byte[] stored = [.. Enumerable.Range(0, 65536).SelectMany(bits => BitConverter.GetBytes((ushort)bits))];
        var values = new float[65536];
        Widen.ToSingle(type, stored, values);
        var back = new byte[stored.Length];
        Narrow.FromSingle(type, values, back);
        for (int bits = 0; bits < 65536; bits++)
        {
            float expected = type == ElementType.F16
                ? (float)BitConverter.UInt16BitsToHalf((ushort)bits)
                : BitConverter.UInt32BitsToSingle((uint)bits << 16);
            ushort again = BitConverter.ToUInt16(back, bits * 2);
            Assert.Equal(float.IsNegative(expected), float.IsNegative(values[bits]));
            if (float.IsNaN(expected))
            {
                Assert.True(float.IsNaN(values[bits]));
                Assert.Equal(type == ElementType.F16 ? (bits & 0x8000) | 0x7E00 : 0x7FC0, again);
                continue;
            }

            Assert.Equal(expected, values[bits]);
            Assert.Equal(bits, again);
        }
    }

    [Theory]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    [InlineData(ElementType.F32)]
    public void ToBits_EveryWidth_IsThatOfTheDefinition(ElementType type)
    {
        float[] values = Hard();
        var stored = new byte[values.Length * type.Size()];
        Narrow.FromSingle(type, values, stored);
        for (int i = 0; i + 16 <= values.Length; i += 16)
        {
            switch (type)
            {
                case ElementType.F16:
                    Compare<F16Element>(values.AsSpan(i, 16), stored.AsSpan(i * 2));
                    break;
                case ElementType.BF16:
                    Compare<BF16Element>(values.AsSpan(i, 16), stored.AsSpan(i * 2));
                    break;
                default:
                    Compare<F32Element>(values.AsSpan(i, 16), stored.AsSpan(i * 4));
                    break;
            }
        }
    }

    [Theory]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Narrow_TiesAndEdges_GoToEven(ElementType type)
    {
        // Every finite pattern's upper midpoint, and the float32 next to it on either side.
        int last = type == ElementType.F16 ? 0x7BFF : 0x7F7F;
        Span<byte> stored = stackalloc byte[6];
        for (int bits = 0; bits <= last; bits++)
        {
            double low = Value(type, bits);
            // Beyond the largest value comes the power of two that would be next.
            double high = bits == last ? (type == ElementType.F16 ? 65536 : Math.ScaleB(1, 128)) : Value(type, bits + 1);
            var middle = (float)((low + high) / 2);
            Narrow.FromSingle(type, [MathF.BitDecrement(middle), middle, MathF.BitIncrement(middle)], stored);
            Assert.Equal(bits, BitConverter.ToUInt16(stored));
            Assert.Equal(bits + (bits & 1), BitConverter.ToUInt16(stored[2..]));
            Assert.Equal(bits + 1, BitConverter.ToUInt16(stored[4..]));
        }
    }

    [Fact]
    public void Conversions_EveryLengthTo70_StayInside()
    {
        float[] values = FloatPalette.Normals(3, 70);
        foreach (ElementType type in Kernels.Types)
        {
            byte[] all = Kernels.Store(type, values);
            for (int count = 0; count <= 70; count++)
            {
                using var narrow = new GuardedMemory(count * type.Size(), GuardSide.After);
                using var single = new GuardedMemory(count * 4, GuardSide.After);
                Narrow.FromSingle(type, values.AsSpan(0, count), narrow.Span);
                Assert.Equal(all[..narrow.Span.Length], narrow.Span.ToArray());
                Widen.ToSingle(type, narrow.Span, single.As<float>());
                Assert.Equal(narrow.Span.ToArray(), Kernels.Store(type, single.As<float>()));
            }
        }
    }

    [Fact]
    public void Conversions_WrongLengths_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => Narrow.FromSingle(ElementType.F16, new float[2], new byte[3]));
        Assert.Throws<ArgumentException>(() => Widen.ToSingle(ElementType.F32, new byte[7], new float[2]));
    }

    private static void Compare<TElement>(ReadOnlySpan<float> values, ReadOnlySpan<byte> stored)
        where TElement : struct, IElement
    {
        Vector512<uint> wide = TElement.ToBits(Vector512.Create(values));
        Vector512<float> widened = TElement.FromBits(wide);
        for (int i = 0; i < 16; i++)
        {
            uint expected = TElement.ToBits(values[i]);
            Assert.True(expected == wide[i], $"{typeof(TElement).Name} {values[i]:G9}: {expected:X} {wide[i]:X}");
            Assert.Equal(expected, TElement.ToBits(Vector256.Create(values.Slice(i / 8 * 8, 8)))[i % 8]);
            Assert.Equal(expected, TElement.ToBits(Vector128.Create(values.Slice(i / 4 * 4, 4)))[i % 4]);
            ReadOnlySpan<byte> place = stored[(i * TElement.Size)..];
            Assert.Equal(expected, TElement.Size == 4 ? BitConverter.ToUInt32(place) : BitConverter.ToUInt16(place));

            uint back = BitConverter.SingleToUInt32Bits(TElement.FromBits(expected));
            Assert.Equal(back, BitConverter.SingleToUInt32Bits(widened[i]));
            Assert.Equal(back, TElement.FromBits(Vector256.Create(expected)).AsUInt32()[3]);
            Assert.Equal(back, TElement.FromBits(Vector128.Create(expected)).AsUInt32()[3]);
        }
    }

    private static float[] Hard()
    {
        var random = new Random(17);
        var values = new List<float>(FloatPalette.Mixed(random, 40_000, nonFinite: true));
        values.AddRange(FloatPalette.Finite);
        values.AddRange(FloatPalette.NonFinite);
        for (int i = 0; i < 40_000; i++) values.Add(BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)));
        for (int i = 0; i < 40_000; i++)
        {
            // Magnitudes of binary16, subnormal to overflow, half of them on a tie of either format.
            float value = MathF.ScaleB(1 + random.NextSingle(), random.Next(-27, 18)) * (random.Next(2) * 2 - 1);
            int bits = BitConverter.SingleToInt32Bits(value);
            bits = (i % 4) switch { 0 => (bits & ~0x1FFF) | 0x1000, 1 => (bits & ~0xFFFF) | 0x8000, _ => bits };
            values.Add(BitConverter.Int32BitsToSingle(bits));
        }

        while (values.Count % 16 != 0) values.Add(1);
        return [.. values];
    }

    private static double Value(ElementType type, int bits) => type == ElementType.F16
        ? (double)BitConverter.UInt16BitsToHalf((ushort)bits)
        : BitConverter.Int32BitsToSingle(bits << 16);
}
