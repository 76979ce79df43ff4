using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Every fast INT4 path gives the bytes of the reference, without tolerance.</summary>
public class Groups4PathTests
{
    public static TheoryData<ElementType, int, bool> Combinations()
    {
        var data = new TheoryData<ElementType, int, bool>();
        foreach (ElementType type in Kernels.Types)
        {
            foreach (int groupSize in Groups4.GroupSizes)
            {
                data.Add(type, groupSize, true);
                data.Add(type, groupSize, false);
            }
        }

        return data;
    }

    public static TheoryData<ElementType, ElementType> PairsOfTypes()
    {
        var data = new TheoryData<ElementType, ElementType>();
        foreach (ElementType first in Kernels.Types)
        {
            foreach (ElementType second in Kernels.Types) data.Add(first, second);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Paths_MixedValues_Agree(ElementType type, int groupSize, bool symmetric)
    {
        for (int seed = 100; seed < 108; seed++)
        {
            float[] values = FloatPalette.Mixed(new Random(seed), 32_768, nonFinite: seed % 2 == 0);
            Groups4.AssertPathsAgree(type, groupSize, symmetric, Kernels.Store(type, values), $"seed {seed}");
        }
    }

    // Of other tools' files; those that are no multiple of 32 have one path.
    [Theory]
    [InlineData(8, 4, true)]
    [InlineData(16, 64, false)]
    [InlineData(16, 64, true)]
    [InlineData(96, 20, false)]
    [InlineData(256, 20, true)]
    [InlineData(4096, 3, true)]
    public void Paths_GroupsOfOtherSizes_Agree(int groupSize, int groups, bool symmetric)
    {
        byte[] source = Kernels.Store(ElementType.BF16, FloatPalette.Normals(5, groups * groupSize));
        Groups4.AssertPathsAgree(ElementType.BF16, groupSize, symmetric, source, "other");
        Quantized4Groups made = Groups4.Run(ElementType.BF16, groupSize, symmetric, source, KernelPath.Reference);
        float[] values = Single(ElementType.BF16, source), scales = Single(ElementType.BF16, made.Scales);
        float[] decoded = Single(ElementType.F32, Groups4.Decode(ElementType.BF16, groupSize, made, ElementType.F32, KernelPath.Reference));
        // Half a scale, and what rounding to bfloat16 does to scale and quotient.
        for (int i = 0; i < values.Length; i++) Assert.InRange(Math.Abs(values[i] - decoded[i]), 0, 0.56f * scales[i / groupSize]);
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Paths_EveryNumberOfGroupsTo40_Agree(ElementType type, int groupSize, bool symmetric)
    {
        byte[] source = Kernels.Store(type, FloatPalette.Mixed(new Random(11), 40 * groupSize, nonFinite: true));
        for (int groups = 0; groups <= 40; groups++)
        {
            ReadOnlySpan<byte> part = source.AsSpan(0, groups * groupSize * type.Size());
            Groups4.AssertPathsAgree(type, groupSize, symmetric, part, $"seed 11 groups {groups}");
        }
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Paths_AroundHalfIntegersOfTheScale_Agree(ElementType type, int groupSize, bool symmetric)
    {
        // Quotients near k + 1/2 are where the two roundings to the type decide.
        var random = new Random(12);
        var values = new List<float>();
        for (int group = 0; group < 600; group++)
        {
            float min = -random.NextSingle(), max = random.NextSingle();
            if (group % 3 == 0) min = MathF.Round(min * 64) / 64;
            float scale = symmetric ? MathF.Max(-min, max) / 7.5f : (max - min) / 15f;
            for (int i = 2; i < groupSize; i++)
            {
                float value = scale * (random.Next(-16, 16) + 0.5f) * (1 + random.Next(-40, 41) * MathF.ScaleB(1, -13));
                values.Add(Math.Clamp(value, min, max));
            }

            values.AddRange([min, max]);
        }

        Groups4.AssertPathsAgree(type, groupSize, symmetric, Kernels.Store(type, values.ToArray()), "seed 12");
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Paths_GroupsOfEveryMagnitude_Agree(ElementType type, int groupSize, bool symmetric)
    {
        // Subnormal scales, scales that round to zero, ranges that overflow.
        var random = new Random(13);
        var values = new List<float>();
        for (int exponent = -150; exponent <= 127; exponent++)
        {
            for (int kind = 0; kind < 4; kind++)
            {
                for (int i = 0; i < groupSize; i++)
                {
                    float value = MathF.ScaleB(1 + random.NextSingle(), exponent) * (kind == 3 ? random.NextSingle() : 1);
                    values.Add((kind % 3) switch { 0 => random.Next(2) == 0 ? value : -value, 1 => value, _ => -value });
                }
            }
        }

        byte[] source = Kernels.Store(type, values.ToArray());
        Groups4.AssertPathsAgree(type, groupSize, symmetric, source, "seed 13");
    }

    [Theory]
    [InlineData(ElementType.F16)]
    [InlineData(ElementType.BF16)]
    public void Paths_EveryBitPatternOf16Bits_Agree(ElementType type)
    {
        // In order, so that groups have a narrow range; then scattered, with and without what is not finite.
        var source = new byte[3 * 65536 * 2];
        for (int i = 0; i < 65536; i++)
        {
            BitConverter.TryWriteBytes(source.AsSpan(i * 2), (ushort)i);
            ushort scattered = (ushort)(i * 40503);
            BitConverter.TryWriteBytes(source.AsSpan(131072 + i * 2), scattered);
            BitConverter.TryWriteBytes(source.AsSpan(262144 + i * 2), (ushort)(scattered & 0xBFFF));
        }

        foreach (int groupSize in Groups4.GroupSizes)
        {
            Groups4.AssertPathsAgree(type, groupSize, true, source, "all patterns");
            Groups4.AssertPathsAgree(type, groupSize, false, source, "all patterns");
        }
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Paths_MisalignedSource_Agree(ElementType type, int groupSize, bool symmetric)
    {
        byte[] stored = Kernels.Store(type, FloatPalette.Normals(21, 20 * groupSize));
        Quantized4Groups expected = Groups4.Run(type, groupSize, symmetric, stored, KernelPath.Reference);
        var shifted = new byte[stored.Length + 70];
        for (int offset = 0; offset < 70; offset += 3)
        {
            stored.CopyTo(shifted, offset);
            foreach (KernelPath path in KernelPaths.Available)
            {
                Quantized4Groups actual = Groups4.Run(
                    type, groupSize, symmetric, shifted.AsSpan(offset, stored.Length), path);
                Assert.Equal(expected.Packed, actual.Packed);
                Assert.Equal(expected.Scales, actual.Scales);
                Assert.Equal(expected.ZeroPoints, actual.ZeroPoints);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Paths_SpansBetweenGuardPages_StayInside(ElementType type, int groupSize, bool symmetric)
    {
        byte[] stored = Kernels.Store(type, FloatPalette.Normals(22, 33 * groupSize));
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            foreach (int groups in (int[])[1, 2, 15, 16, 17, 33])
            {
                foreach (KernelPath path in KernelPaths.Available)
                {
                    using var source = new GuardedMemory(groups * groupSize * type.Size(), side);
                    using var scales = new GuardedMemory(groups * type.Size(), side);
                    using var zeros = new GuardedMemory(symmetric ? 0 : groups, side);
                    using var packed = new GuardedMemory(groups * groupSize / 2, side);
                    using var decoded = new GuardedMemory(source.Span.Length, side);
                    stored.AsSpan(0, source.Span.Length).CopyTo(source.Span);
                    QuantizeGroups4.Run(
                        type, groupSize, symmetric, source.Span, scales.Span, zeros.As<sbyte>(), packed.Span, path);
                    DequantizeGroups4.Run(
                        type, groupSize, packed.Span, scales.Span, zeros.As<sbyte>(), type, decoded.Span, path);
                    Quantized4Groups expected = Groups4.Run(type, groupSize, symmetric, source.Span, KernelPath.Reference);
                    Assert.Equal(expected.Packed, packed.Span.ToArray());
                    Assert.Equal(Groups4.Decode(type, groupSize, expected, type, KernelPath.Reference), decoded.Span.ToArray());
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(PairsOfTypes))]
    public void Dequantize_AnyGroupSizeAndScale_PathsAgree(ElementType scaleType, ElementType type)
    {
        var random = new Random(31);
        foreach (int groupSize in (int[])[8, 16, 24, 32, 40, 48, 56, 64, 72, 96, 120, 128, 136, 256, 1032])
        {
            foreach (bool symmetric in (bool[])[true, false])
            {
                Quantized4Groups weights = Groups4.Random(random, scaleType, groupSize, symmetric, 50, anyScale: true);
                byte[] expected = Groups4.Decode(scaleType, groupSize, weights, type, KernelPath.Reference);
                var expectedSingle = new float[50 * groupSize];
                Decode(expectedSingle, KernelPath.Reference);
                foreach (KernelPath path in Kernels.FastPaths)
                {
                    string place = $"{scaleType} to {type} group {groupSize} symmetric {symmetric} on {path}";
                    Groups4.AssertSame(expected, Groups4.Decode(scaleType, groupSize, weights, type, path), place);
                    var actualSingle = new float[expectedSingle.Length];
                    Decode(actualSingle, path);
                    Groups4.AssertSame(Bits(expectedSingle), Bits(actualSingle), place);
                }

                void Decode(float[] values, KernelPath path) => DequantizeGroups4.Run(
                    scaleType, groupSize, weights.Packed, weights.Scales, weights.ZeroPoints, values, path);
            }
        }
    }

    private static int[] Bits(float[] values) => [.. values.Select(BitConverter.SingleToInt32Bits)];

    private static float[] Single(ElementType type, byte[] stored)
    {
        var values = new float[stored.Length / type.Size()];
        Widen.ToSingle(type, stored, values);
        return values;
    }
}
