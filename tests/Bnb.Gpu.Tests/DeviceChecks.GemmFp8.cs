using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Gpu.Tests;

// Products with FP8 rows.
internal static partial class DeviceChecks
{
    public static void GemmFp8_EveryKernel_IsWithinTheBound(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            // The wide kernel of one row, the other one, and that of any k.
            foreach (int k in (int[])[48, 40, 37]) AssertFp8Product(session, type, 1, 7, k, GpuProduct.Auto);
            AssertFp8Product(session, type, 3, 5, 33, GpuProduct.Tiled);
            if (session.HasTensorCores && type != ElementType.F32) AssertFp8Product(session, type, 130, 131, 335, GpuProduct.TensorCores);
        }

        if (!session.Device.IsSimulator) return;
        AssertFp8Product(session, ElementType.BF16, 5, 20, 32, GpuProduct.TensorCores, emulate: true);
        AssertFp8Product(session, ElementType.F16, 33, 9, 41, GpuProduct.TensorCores, emulate: true);
    }

    public static void GemmFp8_OneProductASum_HasTheBitsOfTheDecodedWeight(GpuSession session)
    {
        byte[] codes = [.. Enumerable.Range(0, 256).Select(code => (byte)code)];
        float[] scales = [.. FloatPalette.Normals(9, codes.Length).Select(MathF.Abs)];
        foreach (ElementType type in Types)
        {
            var y = new float[codes.Length];
            session.MixedGemmFp8(1, codes.Length, 1, type, Store(type, [1f]), codes, scales, y);
            // A sum begins with 0, to which adding a negative zero gives 0.
            float[] expected = [.. Values(type, DecodeFp8(type, codes, scales, 1)).Select(value => value + 0f)];
            AssertSameValues(ElementType.F32, Bytes(expected).ToArray(), Bytes(y).ToArray(), $"{type}");
        }
    }

    private static void AssertFp8Product(
        GpuSession session, ElementType type, int m, int n, int k, GpuProduct product, bool emulate = false)
    {
        var random = new Random(m + n + k);
        byte[] xs = Store(type, FloatPalette.Normals(k, m * k)), codes = new byte[n * k];
        random.NextBytes(codes);
        for (int i = 0; i < codes.Length; i++)
        {
            if ((codes[i] & 0x7F) == 0x7F) codes[i]--;
        }

        float[] scales = [.. Enumerable.Range(0, n).Select(_ => 0.01f + random.NextSingle())];
        float[] y = [.. Enumerable.Repeat(float.NaN, m * n)];
        if (emulate) Emulate(session, new ProductOperation(m, n, k, type, xs, WeightFormat.Fp8Rows, codes, scales, y, product) { Emulated = true });
        else session.MixedGemmFp8(m, n, k, type, xs, codes, scales, y, product);
        AssertWithinBound(session, type, m, n, k, xs, DecodeFp8(type, codes, scales, k), y, product, "fp8");
    }

    private static byte[] DecodeFp8(ElementType type, byte[] codes, float[] scales, int columns)
    {
        var stored = new byte[codes.Length * type.Size()];
        for (int row = 0; row < scales.Length; row++)
        {
            DecodeCodes.Row(
                ScaledCode.E4M3, codes.AsSpan(row * columns, columns), scales.AsSpan(row, 1), [], 0, columns, ElementType.F32, type,
                stored.AsSpan(row * columns * type.Size(), columns * type.Size()), KernelPath.Reference);
        }

        return stored;
    }
}
