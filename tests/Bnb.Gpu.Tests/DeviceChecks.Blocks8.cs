using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Gpu.Tests;

// 8-bit blocks, nested absmax and int8 rows.
internal static partial class DeviceChecks
{
    public static void Blockwise8_MixedValues_GiveTheReferencesBytes(GpuSession session)
    {
        foreach (int blocksize in session.Device.IsSimulator ? [32, 256] : Blocksizes)
        {
            float[] source = FloatPalette.Mixed(new Random(blocksize), session.Device.IsSimulator ? 300 : 20_000, nonFinite: true);
            var expected = new byte[source.Length];
            var expectedAbsmax = new float[BlockGrid.BlockCount(source.Length, blocksize)];
            Blockwise8.Quantize(source, blocksize, expected, expectedAbsmax, KernelPath.Reference);
            var codes = new byte[source.Length];
            var absmax = new float[expectedAbsmax.Length];
            session.QuantizeBlockwise8(source, blocksize, codes, absmax);
            AssertSame(Bytes(expectedAbsmax), Bytes(absmax), $"block {blocksize} absmax");
            AssertSame(expected, codes, $"block {blocksize}");

            var wanted = new float[source.Length];
            var found = new float[source.Length];
            Blockwise8.Dequantize(codes, blocksize, absmax, wanted);
            session.DequantizeBlockwise8(codes, blocksize, absmax, found);
            AssertSameValues(ElementType.F32, Bytes(wanted).ToArray(), Bytes(found).ToArray(), $"block {blocksize} decoded");
        }
    }

    public static void NestedAbsmax_GoldenOffset_GivesGoldenCodes(GpuSession session)
    {
        foreach (var row in Cases(session))
        {
            string file = row.GetProperty("file").GetString()!;
            GoldenTensors golden = GoldenTensors.Load(file);
            float[] absmax = golden.Floats("absmax");
            var codes = new byte[absmax.Length];
            var nested = new float[golden.Floats("nested_absmax").Length];
            session.QuantizeAbsmax(absmax, golden.Floats("nested_offset")[0], codes, nested);
            AssertSame(golden.Bytes("cuda_absmax_q"), codes, file);
            AssertSame(golden.Bytes("nested_absmax"), Bytes(nested), file);
        }
    }

    public static void NestedAbsmax_DecodedAndItsMean_HaveTheBitsOfTheCpu(GpuSession session)
    {
        foreach (int count in (int[])[0, 1, 255, 256, 257, session.Device.IsSimulator ? 600 : 30_011])
        {
            float[] absmax = [.. FloatPalette.Normals(count, count, 0.1f).Select(MathF.Abs)];
            float mean = AbsmaxMean.Of(absmax);
            Assert.Equal(BitConverter.SingleToInt32Bits(mean), BitConverter.SingleToInt32Bits(session.MeanOfAbsmax(absmax)));
            var codes = new byte[count];
            var nested = new float[BlockGrid.BlockCount(count, 256)];
            NestedAbsmax.Quantize(absmax, mean, codes, nested, KernelPath.Reference);
            var expected = new float[count];
            var actual = new float[count];
            NestedAbsmax.Dequantize(codes, nested, mean, expected);
            session.DequantizeAbsmax(codes, DynamicCode8.Values, nested, mean, actual);
            AssertSame(Bytes(expected), Bytes(actual), $"count {count}");
        }
    }

    public static void Mean_ValuesOfEveryKind_HasTheBitsOfTheCpu(GpuSession session)
    {
        for (int seed = 0; seed < 12; seed++)
        {
            var random = new Random(seed);
            var values = new float[1 + random.Next(seed < 8 ? 9 : session.Device.IsSimulator ? 9000 : 100_000)];
            int least = seed % 2 == 0 ? 0 : 120, range = seed % 2 == 0 ? 254 : 8;
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = BitConverter.Int32BitsToSingle(((least + random.Next(range)) << 23) | random.Next(1 << 23));
            }

            if (seed == 3) values[0] = float.PositiveInfinity;
            if (seed == 5) values[0] = float.NaN;
            AssertSame(Bytes([AbsmaxMean.Of(values)]), Bytes([session.MeanOfAbsmax(values)]), $"seed {seed}");
        }
    }

    public static void QuantizeNested4_OneChunkAndMany_GivesTheReferencesBytes(GpuSession session)
    {
        int usual = session.Bench.LargestChunk;
        try
        {
            foreach ((int count, int chunk) in ((int, int)[])[(0, usual), (1, usual), (2115, usual), (9000, usual), (9000, 4096)])
            {
                session.Bench.LargestChunk = chunk;
                AssertNested4(session, Code4Catalog.Nf4, ElementType.BF16, 64, count);
            }

            AssertNested4(session, Code4Catalog.Fp4, ElementType.F32, 32, session.Device.IsSimulator ? 8300 : 300_001);
        }
        finally
        {
            session.Bench.LargestChunk = usual;
        }
    }

    private static void AssertNested4(GpuSession session, Code4 code, ElementType type, int blocksize, int count)
    {
        byte[] source = Store(type, FloatPalette.Normals(count, count));
        int blocks = (int)BlockGrid.BlockCount(count, blocksize), nestedBlocks = (int)BlockGrid.BlockCount(blocks, 256);
        var expected = new byte[(count + 1) / 2];
        var absmax = new float[blocks];
        bool finite = Quantize4.Run(code, type, blocksize, source, absmax, expected, KernelPath.Reference);
        var expectedCodes = new byte[blocks];
        var expectedNested = new float[nestedBlocks];
        NestedAbsmax.Quantize(absmax, AbsmaxMean.Of(absmax), expectedCodes, expectedNested, KernelPath.Reference);
        var packed = new byte[expected.Length];
        var codes = new byte[blocks];
        var nested = new float[nestedBlocks];
        string what = $"{code} {type} {count}";
        Assert.True(finite == session.QuantizeNested4(code, type, blocksize, source, packed, codes, nested, out float offset), what);
        AssertSame(expected, packed, what);
        AssertSame(Bytes([AbsmaxMean.Of(absmax)]), Bytes([offset]), what + " offset");
        AssertSame(expectedCodes, codes, what + " codes");
        AssertSame(Bytes(expectedNested), Bytes(nested), what + " nested");
    }

    public static void Int8Rows_MixedValues_GiveTheReferencesBytes(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            foreach (int columns in session.Device.IsSimulator ? [1, 70] : (int[])[1, 7, 96, 1000, 4096])
            {
                const int Rows = 5;
                for (int seed = 0; seed < 2; seed++)
                {
                    float[] values = FloatPalette.Mixed(new Random(columns + seed), columns * Rows, nonFinite: seed == 1);
                    byte[] source = Store(type, values);
                    var expected = new sbyte[values.Length];
                    var expectedAbsmax = new float[Rows];
                    bool finite = QuantizeRows8.Run(type, columns, source, expectedAbsmax, expected, KernelPath.Reference);
                    var codes = new sbyte[values.Length];
                    var absmax = new float[Rows];
                    string what = $"{type} columns {columns} seed {seed}";
                    Assert.True(finite == session.QuantizeInt8Rows(type, columns, source, absmax, codes), what);
                    AssertSame(Bytes(expectedAbsmax), Bytes(absmax), what);
                    AssertSame(MemoryMarshal.AsBytes<sbyte>(expected), MemoryMarshal.AsBytes<sbyte>(codes), what);
                }
            }
        }
    }

    public static void Int8RowsDecoded_EveryCodeTypeAndWidth_GiveTheReferencesBytes(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            // Rows shorter than a thread's 8 values, longer, and ending inside them.
            foreach (int columns in session.Device.IsSimulator ? [1, 3, 7, 8, 13, 64] : (int[])[1, 3, 7, 8, 13, 96, 1000, 4096])
            {
                AssertDecodedRows(session, type, columns, rows: 256 / columns + 3);
            }
        }
    }

    public static void Int8RowsDecoded_ChunksOfRowsAndPiecesOfRows_GiveTheReferencesBytes(GpuSession session)
    {
        int usual = session.Bench.LargestChunk;
        session.Bench.LargestChunk = 4096;
        try
        {
            AssertDecodedRows(session, ElementType.BF16, 700, rows: 13);
            AssertDecodedRows(session, ElementType.F32, 4097, rows: 3);
            AssertDecodedRows(session, ElementType.F16, 9001, rows: 1);
        }
        finally
        {
            session.Bench.LargestChunk = usual;
        }
    }

    public static void Int8RowsDecoded_NoRows_WriteNothing(GpuSession session) =>
        session.DequantizeInt8Rows(5, [], [], ElementType.BF16, []);

    private static void AssertDecodedRows(GpuSession session, ElementType type, int columns, int rows)
    {
        var codes = new sbyte[columns * rows];
        for (int i = 0; i < codes.Length; i++) codes[i] = (sbyte)i;
        float[] absmax = FloatPalette.Mixed(new Random(columns), rows, nonFinite: true);
        var expected = new byte[codes.Length * type.Size()];
        var actual = new byte[expected.Length];
        DequantizeRows8.Run(columns, codes, absmax, type, expected, KernelPath.Reference);
        session.DequantizeInt8Rows(columns, codes, absmax, type, actual);
        AssertSameValues(type, expected, actual, $"{type} columns {columns}");
    }
}
