using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gemm;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Gpu.Tests;

// Matrix products, against float64 sums over the weights that were multiplied.
internal static partial class DeviceChecks
{
    public static void Gemm_OneRow_IsWithinTheBound(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            AssertProduct(session, Code4Catalog.Nf4, type, 64, 1, 13, 96, GpuProduct.Auto);
            AssertProduct(session, Code4Catalog.Fp4, type, 32, 1, 5, 100, GpuProduct.Auto);
            if (!session.Device.IsSimulator) AssertProduct(session, Code4Catalog.Nf4, type, 128, 1, 301, 11008, GpuProduct.Auto);
        }
    }

    public static void Gemm_Tiles_AreWithinTheBound(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            AssertProduct(session, Code4Catalog.Nf4, type, 64, 3, 7, 33, GpuProduct.Tiled);
            if (session.Device.IsSimulator) continue;
            AssertProduct(session, Code4Catalog.Fp4, type, 32, 65, 130, 1001, GpuProduct.Tiled);
            AssertProduct(session, Code4Catalog.Nf4, type, 4096, 1, 64, 4096, GpuProduct.Tiled);
        }
    }

    public static void Gemm_TensorCores_AreWithinTheirBound(GpuSession session)
    {
        if (!session.HasTensorCores)
        {
            Assert.Throws<GpuException>(
                () => AssertProduct(session, Code4Catalog.Nf4, ElementType.BF16, 64, 16, 16, 32, GpuProduct.TensorCores));
            return;
        }

        foreach (ElementType type in (ElementType[])[ElementType.BF16, ElementType.F16])
        {
            AssertProduct(session, Code4Catalog.Nf4, type, 64, 130, 200, 320, GpuProduct.TensorCores);
            AssertProduct(session, Code4Catalog.Fp4, type, 32, 1, 3, 32, GpuProduct.TensorCores);
            AssertProduct(session, Code4Catalog.Nf4, type, 128, 300, 129, 4096, GpuProduct.TensorCores);
            // Rows that end inside a step, inside 16 bytes of x, inside a byte of codes.
            foreach (int k in (int[])[1, 16, 40, 333, 1008]) AssertProduct(session, Code4Catalog.Nf4, type, 64, 130, 131, k, GpuProduct.TensorCores);
        }
    }

    public static void Gemm_TensorKernelWithEmulatedCores_IsWithinTheBound(GpuSession session)
    {
        // Elsewhere warps are not 32 threads, or the real ones are tested.
        if (!session.Device.IsSimulator) return;
        AssertProduct(session, Code4Catalog.Nf4, ElementType.BF16, 64, 131, 20, 32, GpuProduct.TensorCores, emulate: true);
        AssertProduct(session, Code4Catalog.Fp4, ElementType.F16, 32, 3, 130, 32, GpuProduct.TensorCores, emulate: true);
        // Every stage twice, and half a step at the end.
        AssertProduct(session, Code4Catalog.Fp4, ElementType.BF16, 32, 33, 9, 176, GpuProduct.TensorCores, emulate: true);
        // Rows of x in 16 bytes, not those of codes; neither.
        AssertProduct(session, Code4Catalog.Nf4, ElementType.F16, 32, 9, 5, 40, GpuProduct.TensorCores, emulate: true);
        AssertProduct(session, Code4Catalog.Nf4, ElementType.BF16, 32, 3, 7, 33, GpuProduct.TensorCores, emulate: true);
    }

    public static void Gemm_WeightsThatBeginInsideABlock_AreWithinTheBound(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            AssertProduct(session, Code4Catalog.Nf4, type, 64, 3, 5, 33, GpuProduct.Tiled, phase: 63);
            AssertProduct(session, Code4Catalog.Fp4, type, 32, 2, 3, 20, GpuProduct.Auto, phase: 1);
            AssertProduct(session, Code4Catalog.Nf4, type, 64, 1, 6, 40, GpuProduct.Auto, phase: 24);
            AssertProduct(session, Code4Catalog.Nf4, type, 64, 1, 6, 40, GpuProduct.Auto, phase: 25);
        }

        if (session.Device.IsSimulator)
        {
            AssertProduct(session, Code4Catalog.Nf4, ElementType.BF16, 64, 7, 9, 64, GpuProduct.TensorCores, emulate: true, phase: 48);
            AssertProduct(session, Code4Catalog.Nf4, ElementType.BF16, 64, 2, 3, 32, GpuProduct.TensorCores, emulate: true, phase: 25);
            return;
        }

        AssertProduct(session, Code4Catalog.Nf4, ElementType.BF16, 4096, 70, 100, 320, GpuProduct.Auto, phase: 4000);
        AssertProduct(session, Code4Catalog.Nf4, ElementType.F16, 64, 70, 100, 320, GpuProduct.Auto, phase: 33);
    }

    public static void Gemm_MoreCodesThanNeeded_AreLeftAlone(GpuSession session)
    {
        float[] y = [0f, 0f];
        byte[] packed = [0x99, 0x99, 0xFF, 0xFF];
        session.MixedGemm4(
            1, 2, 1, ElementType.F32, Store(ElementType.F32, [2f]), Code4Catalog.Nf4, 32, packed, [3f, float.NaN], y, phase: 1);
        Assert.Equal([2f * (Code4Catalog.Nf4.Values.Span[9] * 3f), 2f * (Code4Catalog.Nf4.Values.Span[9] * 3f)], y);
    }

    public static void Gemm_DenseWeights_AreWithinTheBoundWholeAndInParts(GpuSession session)
    {
        AssertDenseProduct(session, 1, 5, 33, session.MaxDeviceMemoryBytes);
        AssertDenseProduct(session, 3, 7, 65, session.MaxDeviceMemoryBytes);
        // Rows of x, then columns of y, one at a time and the last ones fewer.
        foreach (long memory in (long[])[600, 1100, 1700]) AssertDenseProduct(session, 3, 5, 33, memory);
        if (session.Device.IsSimulator) return;
        AssertDenseProduct(session, 65, 130, 1001, session.MaxDeviceMemoryBytes);
        AssertDenseProduct(session, 300, 500, 4096, 4_000_000);
    }

    public static void Gemm_DenseWeightsInParts_GivesTheBitsOfTheWhole(GpuSession session)
    {
        float[] x = FloatPalette.Normals(1, 4 * 40), w = FloatPalette.Normals(2, 6 * 40), whole = new float[24], parts = new float[24];
        session.Gemm(4, 6, 40, x, w, whole);
        session.Gemm(4, 6, 40, x, w, parts, memory: 900);
        Assert.Equal(whole, parts);
    }

    public static void GemmInt8_OneRow_IsWithinTheBound(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            AssertInt8Product(session, type, 1, 13, 96, GpuProduct.Auto);
            AssertInt8Product(session, type, 1, 5, 101, GpuProduct.Auto);
            if (!session.Device.IsSimulator) AssertInt8Product(session, type, 1, 301, 11008, GpuProduct.Auto);
        }
    }

    public static void GemmInt8_Tiles_AreWithinTheBound(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            AssertInt8Product(session, type, 3, 7, 33, GpuProduct.Tiled);
            if (session.Device.IsSimulator) continue;
            AssertInt8Product(session, type, 65, 130, 1001, GpuProduct.Tiled);
            AssertInt8Product(session, type, 1, 64, 4096, GpuProduct.Tiled);
        }
    }

    public static void GemmInt8_TensorCores_AreWithinTheirBound(GpuSession session)
    {
        if (!session.HasTensorCores)
        {
            Assert.Throws<GpuException>(() => AssertInt8Product(session, ElementType.BF16, 16, 16, 32, GpuProduct.TensorCores));
            return;
        }

        foreach (ElementType type in (ElementType[])[ElementType.BF16, ElementType.F16])
        {
            AssertInt8Product(session, type, 130, 200, 320, GpuProduct.TensorCores);
            AssertInt8Product(session, type, 1, 3, 32, GpuProduct.TensorCores);
            AssertInt8Product(session, type, 300, 129, 4096, GpuProduct.TensorCores);
            AssertInt8Product(session, type, 130, 131, 335, GpuProduct.TensorCores);
        }
    }

    public static void GemmInt8_TensorKernelWithEmulatedCores_IsWithinTheBound(GpuSession session)
    {
        // Elsewhere warps are not 32 threads, or the real ones are tested.
        if (!session.Device.IsSimulator) return;
        AssertInt8Product(session, ElementType.BF16, 5, 20, 32, GpuProduct.TensorCores, emulate: true);
        AssertInt8Product(session, ElementType.F16, 33, 9, 48, GpuProduct.TensorCores, emulate: true);
    }

    public static void GemmInt8_OneProductASum_HasTheBitsOfTheDecodedWeight(GpuSession session)
    {
        // Every code; with one activation of 1 the sum is the weight.
        var codes = new sbyte[256];
        for (int i = 0; i < codes.Length; i++) codes[i] = (sbyte)i;
        float[] absmax = [.. FloatPalette.Normals(9, codes.Length).Select(MathF.Abs)];
        foreach (ElementType type in Types)
        {
            var stored = new byte[codes.Length * type.Size()];
            DequantizeRows8.Run(1, codes, absmax, type, stored, KernelPath.Reference);
            var y = new float[codes.Length];
            session.MixedGemmInt8(1, codes.Length, 1, type, Store(type, [1f]), codes, absmax, y);
            AssertSameValues(ElementType.F32, Bytes(Values(type, stored)).ToArray(), Bytes(y).ToArray(), $"{type}");
        }
    }

    public static void Gemm_EmptyDimension_GivesZerosOrNothing(GpuSession session)
    {
        float[] y = [1f, 2f];
        session.MixedGemm4(1, 2, 0, ElementType.BF16, [], Code4Catalog.Nf4, 64, [], [], y);
        Assert.Equal([0f, 0f], y);
        session.MixedGemm4(0, 2, 4, ElementType.BF16, [], Code4Catalog.Nf4, 64, new byte[4], [1f], []);
        y = [1f, 2f];
        session.MixedGemmInt8(1, 2, 0, ElementType.BF16, [], [], [1f, 1f], y);
        Assert.Equal([0f, 0f], y);
        session.MixedGemmInt8(0, 2, 4, ElementType.BF16, [], new sbyte[8], [1f, 1f], []);
    }

    private static void AssertProduct(
        GpuSession session,
        Code4 code,
        ElementType type,
        int blocksize,
        int m,
        int n,
        int k,
        GpuProduct product,
        bool emulate = false,
        int phase = 0)
    {
        var random = new Random(m + n + k);
        byte[] xs = Store(type, FloatPalette.Normals(k, m * k));
        int values = phase + n * k;
        var packed = new byte[(values + 1) / 2];
        random.NextBytes(packed);
        var absmax = new float[BlockGrid.BlockCount(values, blocksize)];
        for (int i = 0; i < absmax.Length; i++) absmax[i] = 0.01f + random.NextSingle();
        float[] y = [.. Enumerable.Repeat(float.NaN, m * n)];
        if (emulate) Emulate(session, new ProductOperation(m, n, k, type, xs, new WeightFormat(code, blocksize, phase), packed, absmax, y, product) { Emulated = true });
        else session.MixedGemm4(m, n, k, type, xs, code, blocksize, packed, absmax, y, product, phase);

        var stored = new byte[values * type.Size()];
        Dequantize4.Run(code, blocksize, type, packed, absmax, stored, KernelPath.Reference);
        AssertWithinBound(session, type, m, n, k, xs, stored[(phase * type.Size())..], y, product, $"{code} phase {phase}");
    }

    private static void AssertDenseProduct(GpuSession session, int m, int n, int k, long memory)
    {
        float[] x = FloatPalette.Normals(k, m * k), w = FloatPalette.Normals(k + 1, n * k), y = [.. Enumerable.Repeat(float.NaN, m * n)];
        session.Gemm(m, n, k, x, w, y, memory);
        AssertWithinBound(session, ElementType.F32, m, n, k, Store(ElementType.F32, x), Store(ElementType.F32, w), y, GpuProduct.Tiled, $"dense, {memory} bytes");
    }

    private static void AssertInt8Product(
        GpuSession session, ElementType type, int m, int n, int k, GpuProduct product, bool emulate = false)
    {
        var random = new Random(m + n + k);
        byte[] xs = Store(type, FloatPalette.Normals(k, m * k));
        var codes = new sbyte[n * k];
        random.NextBytes(MemoryMarshal.AsBytes(codes.AsSpan()));
        var absmax = new float[n];
        for (int i = 0; i < absmax.Length; i++) absmax[i] = 0.01f + random.NextSingle();
        float[] y = [.. Enumerable.Repeat(float.NaN, m * n)];
        if (emulate) Emulate(session, new ProductOperation(m, n, k, type, xs, WeightFormat.Int8Rows, MemoryMarshal.AsBytes<sbyte>(codes), absmax, y, product) { Emulated = true });
        else session.MixedGemmInt8(m, n, k, type, xs, codes, absmax, y, product);

        var stored = new byte[n * k * type.Size()];
        DequantizeRows8.Run(k, codes, absmax, type, stored, KernelPath.Reference);
        AssertWithinBound(session, type, m, n, k, xs, stored, y, product, "int8");
    }

    private static void Emulate(GpuSession session, ProductOperation operation) => session.Run(ref operation);

    private static void AssertWithinBound(
        GpuSession session,
        ElementType type,
        int m,
        int n,
        int k,
        byte[] xs,
        byte[] weights,
        float[] y,
        GpuProduct product,
        string what)
    {
        var expected = new double[m * n];
        var magnitudes = new double[m * n];
        ReferenceGemm.Run(m, n, k, Values(type, xs), Values(type, weights), expected, magnitudes);
        // One row may take the kernel of rows, which is within the smaller bound.
        bool tensors = product == GpuProduct.TensorCores
            || (product == GpuProduct.Auto && session.HasTensorCores && type != ElementType.F32);
        for (int i = 0; i < y.Length; i++)
        {
            double bound = tensors ? GpuProducts.TensorCoreBound(k, magnitudes[i]) : GemmBounds.ForFp32(k, magnitudes[i]);
            double error = Math.Abs(y[i] - expected[i]);
            Assert.True(error <= bound, $"{what} {type} [{m},{n},{k}] {product}: sum {i} off by {error}, bound {bound}");
        }
    }
}
