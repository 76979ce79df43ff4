using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.Quant.Search;

namespace Bnb.Gpu.Tests;

// Searched scales.
internal static partial class DeviceChecks
{
    public static void Search4_ValuesOfEveryKind_GivesTheCpusBytes(GpuSession session)
    {
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (ElementType type in Types)
            {
                byte[] source = SearchedValues(session, type, 64, seed: (int)type);
                bool nested = type == ElementType.BF16, weighted = type != ElementType.F32;
                AssertSearch4(session, code, type, 64, nested, source, importance: null, first: 0);
                if (weighted || !session.Device.IsSimulator) AssertSearch4(session, code, type, 64, !nested, source, Importance(67), first: 1000);
            }
        }
    }

    public static void Search4_EveryBlocksize_GivesTheCpusBytes(GpuSession session)
    {
        foreach (int blocksize in session.Device.IsSimulator ? [32, 512] : Blocksizes)
        {
            float[] values = FloatPalette.Normals(blocksize, 2 * blocksize + 37);
            AssertSearch4(session, Code4Catalog.Nf4, ElementType.BF16, blocksize, false, Store(ElementType.BF16, values), null, 0);
            AssertSearch4(session, Code4Catalog.Fp4, ElementType.F16, blocksize, true, Store(ElementType.F16, values), Importance(50), 7);
        }
    }

    public static void Search4_ManyChunks_GiveTheBytesOfOne(GpuSession session)
    {
        int usual = session.Bench.LargestChunk, count = session.Device.IsSimulator ? 256 * 32 + 100 : 100_001;
        session.Bench.LargestChunk = 4096;
        try
        {
            // Only so much is normal as the simulator can do: blocks of a repeated value are soon searched.
            var values = new float[count];
            for (int i = 0; i < count; i++) values[i] = i / 32 % 9 == 0 ? 0f : 0.25f * (i / 32 % 5 - 2);
            FloatPalette.Normals(3, 700).CopyTo(values, 4000);
            byte[] source = Store(ElementType.BF16, values);
            AssertSearch4(session, Code4Catalog.Nf4, ElementType.BF16, 32, true, source, Importance(96), 32);
            AssertSearch4(session, Code4Catalog.Fp4, ElementType.BF16, 32, false, source[6000..12000], null, 0);
        }
        finally
        {
            session.Bench.LargestChunk = usual;
        }
    }

    public static void SearchGroups4_EveryScaleType_GivesTheCpusBytes(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            foreach (ElementType scaleType in Types)
            {
                int groupSize = 32 << (int)scaleType % 3;
                byte[] source = SearchedValues(session, type, groupSize, seed: 7 * (int)type + (int)scaleType);
                source = source[..(source.Length / (groupSize * type.Size()) * groupSize * type.Size())];
                if (session.Device.IsSimulator) source = source[..(source.Length / 32 * 8 / (groupSize * type.Size()) * groupSize * type.Size())];
                AssertSearchGroups4(session, type, scaleType, groupSize, source, type == ElementType.F16 ? Importance(groupSize * 3) : null);
            }
        }
    }

    public static void SearchRows8_EveryType_GivesTheCpusBytes(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            foreach (int columns in session.Device.IsSimulator ? [1, 37, 300] : (int[])[1, 37, 300, 1024, 5000])
            {
                const int Rows = 6;
                float[] values = FloatPalette.Normals(columns, Rows * columns, 0.02f);
                values.AsSpan(columns, columns).Clear();
                values[2 * columns] = 3f;
                for (int i = 3 * columns; i < 4 * columns; i++) values[i] *= 1e-5f;
                AssertSearchRows8(session, type, columns, Store(type, values), columns == 37 ? Importance(37) : null);
            }
        }
    }

    public static void Search_NonFiniteValues_AreReportedEachTime(GpuSession session)
    {
        foreach (float odd in FloatPalette.NonFinite)
        {
            float[] values = FloatPalette.Normals(3, 96);
            foreach (bool finite in (bool[])[true, false])
            {
                if (!finite) values[70] = odd;
                byte[] source = Store(ElementType.F32, values);
                Assert.Equal(finite, session.SearchBlocks4(Code4Catalog.Nf4, ElementType.F32, 64, source, default, new float[2], new byte[48]));
                Assert.Equal(finite, session.SearchNested4(Code4Catalog.Fp4, ElementType.F32, 64, source, default, new byte[2], new float[1], new byte[48]));
                Assert.Equal(finite, session.SearchInt4Groups(ElementType.F32, ElementType.BF16, 32, source, default, new byte[6], new byte[48]));
                Assert.Equal(finite, session.SearchInt8Rows(ElementType.F32, 48, source, default, new float[2], new sbyte[96]));
            }
        }

        Assert.False(session.SearchInt8Rows(ElementType.F32, 2, Store(ElementType.F32, [1f, 65520f]), default, new float[1], new sbyte[2]));
    }

    public static void Search_NoValues_GivesNone(GpuSession session)
    {
        Assert.True(session.SearchBlocks4(Code4Catalog.Nf4, ElementType.F32, 64, [], default, [], []));
        Assert.True(session.SearchNested4(Code4Catalog.Nf4, ElementType.F32, 64, [], default, [], [], []));
        Assert.True(session.SearchInt4Groups(ElementType.F32, ElementType.F32, 32, [], default, [], []));
        Assert.True(session.SearchInt8Rows(ElementType.F32, 3, [], default, [], []));
    }

    private static void AssertSearch4(
        GpuSession session, Code4 code, ElementType type, int blocksize, bool nested, byte[] source, float[]? importance, long first)
    {
        int count = source.Length / type.Size(), blocks = (int)BlockGrid.BlockCount(count, blocksize), groups = (blocks + 255) / 256;
        var weights = new ColumnImportance(importance, first);
        byte[] packed = new byte[(count + 1) / 2], expected = new byte[packed.Length];
        float[] scales = new float[nested ? groups : blocks], expectedScales = new float[scales.Length];
        byte[] codes = new byte[nested ? blocks : 0], expectedCodes = new byte[codes.Length];
        string what = $"{code} {type} block {blocksize} nested {nested} importance {importance is not null}";
        Assert.True(nested
            ? SearchBlocks4.RunNested(code, type, blocksize, source, weights, expectedCodes, expectedScales, expected, KernelPaths.Selected)
            : SearchBlocks4.Run(code, type, blocksize, source, weights, expectedScales, expected, KernelPaths.Selected));
        Assert.True(nested
            ? session.SearchNested4(code, type, blocksize, source, weights, codes, scales, packed)
            : session.SearchBlocks4(code, type, blocksize, source, weights, scales, packed));
        AssertSame(Bytes(expectedScales), Bytes(scales), what + " scales");
        AssertSame(expectedCodes, codes, what + " nested codes");
        AssertSame(expected, packed, what);
    }

    private static void AssertSearchGroups4(
        GpuSession session, ElementType type, ElementType scaleType, int groupSize, byte[] source, float[]? importance)
    {
        int count = source.Length / type.Size();
        var weights = new ColumnImportance(importance, groupSize);
        byte[] packed = new byte[count / 2], expected = new byte[packed.Length];
        byte[] scales = new byte[count / groupSize * scaleType.Size()], expectedScales = new byte[scales.Length];
        string what = $"int4 {type} scales {scaleType} group {groupSize} importance {importance is not null}";
        Assert.True(SearchGroups4.Run(type, scaleType, groupSize, source, weights, expectedScales, expected, KernelPaths.Selected), what);
        Assert.True(session.SearchInt4Groups(type, scaleType, groupSize, source, weights, scales, packed), what);
        AssertSame(expectedScales, scales, what + " scales");
        AssertSame(expected, packed, what);
    }

    private static void AssertSearchRows8(GpuSession session, ElementType type, int columns, byte[] source, float[]? importance)
    {
        int count = source.Length / type.Size();
        var weights = new ColumnImportance(importance, 0);
        sbyte[] codes = new sbyte[count], expected = new sbyte[count];
        float[] scb = new float[count / columns], expectedScb = new float[scb.Length];
        string what = $"int8 {type} columns {columns} importance {importance is not null}";
        Assert.True(SearchRows8.Run(type, columns, source, weights, expectedScb, expected, KernelPaths.Selected), what);
        Assert.True(session.SearchInt8Rows(type, columns, source, weights, scb, codes), what);
        AssertSame(Bytes(expectedScb), Bytes(scb), what + " SCB");
        AssertSame(MemoryMarshal.AsBytes<sbyte>(expected), MemoryMarshal.AsBytes<sbyte>(codes), what);
    }

    /// <summary>Blocks of normal weights and of others, zeros, single values, values on the grid of a type, all magnitudes.</summary>
    private static byte[] SearchedValues(GpuSession session, ElementType type, int blocksize, int seed)
    {
        var random = new Random(seed);
        int blocks = session.Device.IsSimulator ? 20 : 400;
        var values = new float[blocks * blocksize + 5];
        for (int block = 0; block <= blocks; block++)
        {
            Span<float> place = values.AsSpan(block * blocksize, Math.Min(blocksize, values.Length - block * blocksize));
            float[] normals = FloatPalette.Normals(block + seed, blocksize, 0.02f), mixed = FloatPalette.Mixed(random, blocksize, nonFinite: false);
            for (int i = 0; i < place.Length; i++)
            {
                place[i] = (block % 20) switch
                {
                    0 => 0f,
                    1 => i == 17 ? -0.75f : 0f,
                    2 => 0.5f,
                    3 => random.Next(2) == 0 ? -1f : 1f,
                    4 => Code4Catalog.Nf4.Values.Span[random.Next(16)] * 0.37f,
                    5 => random.Next(-3, 4) * 0.25f,
                    6 => random.Next(-8, 8) * 0.125f,
                    7 => normals[i] * 1e-6f,
                    8 => i % 16 == 0 ? normals[i] * 40 : normals[i],
                    9 => MathF.Abs(normals[i]),
                    10 => random.NextSingle() - 0.5f,
                    11 => MathF.ScaleB(1 + random.NextSingle(), -i / 2),
                    12 or 13 or 14 => mixed[i],
                    15 => BitConverter.Int32BitsToSingle(random.Next(1, 1 << 20)),
                    _ => normals[i],
                };
            }
        }

        // What the type cannot hold has its largest magnitude.
        for (int i = 0; i < values.Length; i++)
        {
            if (type == ElementType.F16) values[i] = Math.Clamp(values[i], -65504f, 65504f);
            if (type == ElementType.BF16) values[i] = Math.Clamp(values[i], -3.3e38f, 3.3e38f);
        }

        return Store(type, values);
    }

    private static float[] Importance(int columns)
    {
        var random = new Random(columns);
        return [.. Enumerable.Range(0, columns).Select(i => i % 9 == 0 ? 0f : MathF.Exp(random.NextSingle() * 12))];
    }
}
