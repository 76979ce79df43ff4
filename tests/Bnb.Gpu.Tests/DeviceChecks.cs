using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Gpu.Tests;

/// <summary>
/// What every device must do: the bytes of the CPU's reference, and products within the bound. Each public method is a check
/// of one session. On the simulator, where a value takes 50 microseconds, the data are cut.
/// </summary>
internal static partial class DeviceChecks
{
    private static readonly int[] Blocksizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];
    private static readonly ElementType[] Types = Enum.GetValues<ElementType>();

    private static readonly Dictionary<string, MethodInfo> Methods = typeof(DeviceChecks)
        .GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly)
        .Where(method => method.GetParameters() is [{ ParameterType.Name: nameof(GpuSession) }])
        .ToDictionary(method => method.Name);

    /// <summary>The names of all checks.</summary>
    public static IEnumerable<string> Names => Methods.Keys;

    /// <summary>Runs one.</summary>
    public static void Run(string name, GpuSession session) => Methods[name].CreateDelegate<Action<GpuSession>>()(session);

    public static void Quantize4_GoldenInput_GivesGoldenBytes(GpuSession session)
    {
        foreach (JsonElement row in Cases(session))
        {
            string file = row.GetProperty("file").GetString()!;
            GoldenTensors golden = GoldenTensors.Load(file);
            Code4 code = Code4Catalog.ByName(row.GetProperty("quant_type").GetString()!);
            byte[] packed = golden.Bytes("packed"), actual = new byte[packed.Length];
            var absmax = new float[golden.Floats("absmax").Length];
            bool finite = session.Quantize4(
                code, Enum.Parse<ElementType>(golden.Dtype("A")), row.GetProperty("blocksize").GetInt32(), golden.Bytes("A"), absmax, actual);
            AssertSame(packed, actual, file);
            AssertSame(golden.Bytes("absmax"), Bytes(absmax), file);
            Assert.True(finite, file);
        }
    }

    public static void Quantize4_MixedValuesOfEveryTypeAndBlocksize_GiveTheReferencesBytes(GpuSession session)
    {
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (ElementType type in Types)
            {
                foreach (int blocksize in session.Device.IsSimulator && type != ElementType.BF16 ? [32, 512] : Blocksizes)
                {
                    int count = session.Device.IsSimulator ? blocksize + 37 : 40_000 + blocksize + 37;
                    int seed = blocksize + (int)type;
                    AssertQuantize4(session, code, type, blocksize, FloatPalette.Mixed(new Random(seed), count, blocksize % 256 != 0));
                }
            }
        }
    }

    public static void Quantize4_EveryShortLength_GivesTheReferencesBytes(GpuSession session)
    {
        float[] values = FloatPalette.Mixed(new Random(5), 130, nonFinite: true);
        for (int count = 0; count <= values.Length; count += session.Device.IsSimulator ? 13 : 1)
        {
            AssertQuantize4(session, Code4Catalog.Fp4, ElementType.BF16, 32, values[..count]);
            AssertQuantize4(session, Code4Catalog.Nf4, ElementType.F32, 64, values[..count]);
        }
    }

    public static void Quantize4_NonFiniteValues_AreReportedEachTime(GpuSession session)
    {
        foreach (float odd in FloatPalette.NonFinite)
        {
            float[] values = FloatPalette.Normals(3, 96);
            AssertQuantize4(session, Code4Catalog.Nf4, ElementType.F16, 64, values);
            values[95] = odd;
            AssertQuantize4(session, Code4Catalog.Nf4, ElementType.F16, 64, values);
        }
    }

    public static void Quantize4_EveryPattern16_GivesTheReferencesBytes(GpuSession session)
    {
        // All 65536 values of both formats, cut into blocks of neighbours.
        int count = session.Device.IsSimulator ? 512 : 65536;
        var patterns = new ushort[count];
        for (int i = 0; i < count; i++) patterns[i] = (ushort)(i * (65536 / count) + i % 7);
        foreach (Code4 code in Code4Catalog.All)
        {
            AssertQuantize4(session, code, ElementType.F16, 32, MemoryMarshal.AsBytes<ushort>(patterns));
            AssertQuantize4(session, code, ElementType.BF16, 32, MemoryMarshal.AsBytes<ushort>(patterns));
        }
    }

    public static void Quantize4_ManyChunks_GiveTheBytesOfOne(GpuSession session)
    {
        int usual = session.Bench.LargestChunk;
        session.Bench.LargestChunk = 4096;
        try
        {
            float[] values = FloatPalette.Mixed(new Random(8), session.Device.IsSimulator ? 9000 : 70_001, nonFinite: true);
            AssertQuantize4(session, Code4Catalog.Nf4, ElementType.BF16, 4096, values);
            AssertDequantize4(session, Code4Catalog.Nf4, ElementType.BF16, 64, values.Length, seed: 4);
        }
        finally
        {
            session.Bench.LargestChunk = usual;
        }
    }

    public static void Dequantize4_EveryTypeAndBlocksize_GivesTheReferencesBytes(GpuSession session)
    {
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (ElementType type in Types)
            {
                foreach (int blocksize in session.Device.IsSimulator ? [32, 512] : Blocksizes)
                {
                    int count = session.Device.IsSimulator ? 2 * blocksize + 37 : 40_000 + blocksize + 37;
                    AssertDequantize4(session, code, type, blocksize, count, seed: blocksize);
                }
            }
        }
    }

    public static void Dequantize4_AbsmaxOfEveryKind_RoundsLikeTheReference(GpuSession session)
    {
        // Around ties, at the edges of subnormals and overflow of the 16-bit formats, and what is no number.
        var random = new Random(6);
        var absmax = new float[session.Device.IsSimulator ? 64 : 4096];
        for (int i = 0; i < absmax.Length; i++)
        {
            absmax[i] = i switch
            {
                < 27 => FloatPalette.Finite[i],
                < 32 => FloatPalette.NonFinite[i - 27],
                _ when i % 3 == 0 => MathF.ScaleB(1f + random.Next(1 << 12) / 4096f, random.Next(-26, -12)),
                _ when i % 3 == 1 => MathF.ScaleB(1f + random.Next(1 << 12) / 4096f, random.Next(12, 18)),
                _ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)),
            };
        }

        var packed = new byte[absmax.Length * 16];
        random.NextBytes(packed);
        foreach (ElementType type in Types) AssertDequantize4(session, Code4Catalog.Nf4, type, 32, packed, absmax);
    }

    private static IEnumerable<JsonElement> Cases(GpuSession session)
    {
        JsonElement[] rows = [.. JsonDocument.Parse(File.ReadAllBytes(Golden.File("cases.json"))).RootElement.EnumerateArray()
            .Where(row => row.GetProperty("file").GetString()!.StartsWith("case", StringComparison.Ordinal))];
        return session.Device.IsSimulator
            ? rows.Where(row => row.GetProperty("file").GetString()!.Contains("7x37", StringComparison.Ordinal)
                || row.GetProperty("file").GetString()!.Contains("tiny", StringComparison.Ordinal))
            : rows;
    }

    private static void AssertQuantize4(GpuSession session, Code4 code, ElementType type, int blocksize, float[] values) =>
        AssertQuantize4(session, code, type, blocksize, Store(type, values));

    private static void AssertQuantize4(GpuSession session, Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source)
    {
        int count = source.Length / type.Size();
        var expected = new byte[(count + 1) / 2];
        var expectedAbsmax = new float[BlockGrid.BlockCount(count, blocksize)];
        bool finite = Quantize4.Run(code, type, blocksize, source, expectedAbsmax, expected, KernelPath.Reference);
        var actual = new byte[expected.Length];
        var absmax = new float[expectedAbsmax.Length];
        string what = $"{code} {type} block {blocksize} count {count}";
        Assert.True(finite == session.Quantize4(code, type, blocksize, source, absmax, actual), what);
        AssertSame(Bytes(expectedAbsmax), Bytes(absmax), what + " absmax");
        AssertSame(expected, actual, what);
    }

    private static void AssertDequantize4(GpuSession session, Code4 code, ElementType type, int blocksize, int count, int seed)
    {
        var packed = new byte[(count + 1) / 2];
        new Random(seed).NextBytes(packed);
        float[] absmax = FloatPalette.Mixed(new Random(seed), (int)BlockGrid.BlockCount(count, blocksize), nonFinite: true);
        var expected = new byte[count * type.Size()];
        var actual = new byte[expected.Length];
        Dequantize4.Run(code, blocksize, type, packed, absmax, expected, KernelPath.Reference);
        session.Dequantize4(code, blocksize, type, packed, absmax, actual);
        AssertSameValues(type, expected, actual, $"{code} {type} block {blocksize} count {count}");
    }

    private static void AssertDequantize4(GpuSession session, Code4 code, ElementType type, int blocksize, byte[] packed, float[] absmax)
    {
        var expected = new byte[packed.Length * 2 * type.Size()];
        var actual = new byte[expected.Length];
        Dequantize4.Run(code, blocksize, type, packed, absmax, expected, KernelPath.Reference);
        session.Dequantize4(code, blocksize, type, packed, absmax, actual);
        AssertSameValues(type, expected, actual, $"{code} {type} block {blocksize}");
    }

    /// <summary>The same bytes; of a NaN, whose sign and payload IEEE leaves to the processor, only that it is one.</summary>
    private static void AssertSameValues(ElementType type, byte[] expected, byte[] actual, string what)
    {
        float[] wanted = Values(type, expected), found = Values(type, actual);
        for (int i = 0; i < wanted.Length; i++)
        {
            bool same = float.IsNaN(wanted[i])
                ? float.IsNaN(found[i])
                : BitConverter.SingleToInt32Bits(wanted[i]) == BitConverter.SingleToInt32Bits(found[i]);
            Assert.True(same, $"{what}: value {i} is {found[i]:R}, not {wanted[i]:R}");
        }
    }

    private static void AssertSame(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, string what)
    {
        int same = expected.CommonPrefixLength(actual);
        Assert.True(same == expected.Length && same == actual.Length, $"{what}: byte {same} of {expected.Length} differs");
    }

    private static ReadOnlySpan<byte> Bytes(float[] values) => MemoryMarshal.AsBytes<float>(values);

    private static byte[] Store(ElementType type, float[] values)
    {
        var stored = new byte[values.Length * type.Size()];
        Narrow.FromSingle(type, values, stored);
        return stored;
    }

    private static float[] Values(ElementType type, byte[] stored)
    {
        var values = new float[stored.Length / type.Size()];
        Widen.ToSingle(type, stored, values);
        return values;
    }
}
