using Bnb.Quant.Backends;
using Bnb.Quant.Fp8;
using Bnb.Quant.Numerics;

namespace Bnb.Gpu.Tests;

// FP8 rows.
internal static partial class DeviceChecks
{
    public static void Fp8Rows_GoldenInput_GivesGoldenBytes(GpuSession session)
    {
        GoldenTensors source = GoldenTensors.Load("fp8_quantize", "source.safetensors");
        GoldenTensors expected = GoldenTensors.Load("fp8_quantize", "expected.safetensors");
        foreach (string name in (string[])["edges_bf16", "edges_f16", "edges_f32", "normal_bf16", "wide_f16", "wide_f32"])
        {
            var type = Enum.Parse<ElementType>(source.Dtype(name));
            byte[] scales = new byte[expected.Bytes(name + ".weight_scale").Length], codes = new byte[expected.Bytes(name + ".weight").Length];
            Assert.True(session.QuantizeFp8(type, (int)source.Shape(name)[1], source.Bytes(name), scales, codes), name);
            AssertSame(expected.Bytes(name + ".weight_scale"), scales, name + " scales");
            AssertSame(expected.Bytes(name + ".weight"), codes, name);
        }
    }

    public static void Fp8Rows_MixedValues_GiveTheReferencesBytes(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            foreach (int columns in session.Device.IsSimulator ? [1, 70] : (int[])[1, 7, 96, 1000, 4096])
            {
                for (int seed = 0; seed < 2; seed++)
                {
                    const int Rows = 5;
                    byte[] source = Store(type, FloatPalette.Mixed(new Random(columns + seed), columns * Rows, nonFinite: seed == 1));
                    byte[] scales = new byte[Rows * type.Size()], expectedScales = new byte[scales.Length];
                    byte[] codes = new byte[columns * Rows], expected = new byte[codes.Length];
                    bool finite = QuantizeFp8Rows.Run(type, columns, source, expectedScales, expected, KernelPath.Reference);
                    string what = $"{type} columns {columns} seed {seed}";
                    Assert.True(finite == session.QuantizeFp8(type, columns, source, scales, codes), what);
                    AssertSameValues(type, expectedScales, scales, what + " scales");
                    AssertSame(expected, codes, what);
                }
            }
        }
    }

    public static void Fp8Rows_ManyChunks_GiveTheBytesOfOne(GpuSession session)
    {
        int usual = session.Bench.LargestChunk;
        session.Bench.LargestChunk = 4096;
        try
        {
            byte[] source = Store(ElementType.BF16, FloatPalette.Normals(6, 13 * 700));
            byte[] scales = new byte[26], expectedScales = new byte[26], codes = new byte[13 * 700], expected = new byte[codes.Length];
            QuantizeFp8Rows.Run(ElementType.BF16, 700, source, expectedScales, expected, KernelPath.Reference);
            session.QuantizeFp8(ElementType.BF16, 700, source, scales, codes);
            AssertSame(expectedScales, scales, "scales");
            AssertSame(expected, codes, "codes");
        }
        finally
        {
            session.Bench.LargestChunk = usual;
        }
    }
}
