using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;

namespace Bnb.Gpu.Tests;

// INT4 in groups, and the products of integers.
internal static partial class DeviceChecks
{
    private static readonly int[] GroupSizes = [32, 64, 128];

    public static void Int4Groups_EveryTypeSizeAndSymmetry_GiveTheReferencesBytes(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            foreach (int groupSize in GroupSizes)
            {
                foreach (bool symmetric in (bool[])[true, false])
                {
                    int groups = session.Device.IsSimulator ? 9 : 1001;
                    var random = new Random(groupSize + (int)type);
                    AssertGroups4(session, type, groupSize, symmetric, FloatPalette.Normals(groupSize, groups * groupSize));
                    AssertGroups4(session, type, groupSize, symmetric, FloatPalette.Mixed(random, groups * groupSize, nonFinite: true));
                    AssertGroups4(session, type, groupSize, symmetric, new float[groupSize]);
                }
            }
        }
    }

    public static void Int4Groups_ManyChunks_GiveTheBytesOfOne(GpuSession session)
    {
        int usual = session.Bench.LargestChunk;
        session.Bench.LargestChunk = 4096;
        try
        {
            AssertGroups4(session, ElementType.BF16, 128, symmetric: false, FloatPalette.Normals(3, 9088));
            AssertGroups4(session, ElementType.F32, 32, symmetric: true, FloatPalette.Normals(4, 9088));
        }
        finally
        {
            session.Bench.LargestChunk = usual;
        }
    }

    public static void Int4GroupsDecoded_EveryPairOfTypes_GiveTheReferencesBytes(GpuSession session)
    {
        foreach (ElementType scaleType in Types)
        {
            foreach (ElementType type in Types)
            {
                foreach (int groupSize in (int[])[8, 24, 128]) AssertDecodedGroups4(session, scaleType, type, groupSize, groups: 37);
            }
        }
    }

    public static void GemmInt4Groups_EveryKernel_IsWithinTheBound(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            AssertGroupsProduct(session, ElementType.F16, type, 32, 1, 5, 96, GpuProduct.Auto);
            AssertGroupsProduct(session, ElementType.BF16, type, 64, 3, 7, 64, GpuProduct.Tiled);
            AssertGroupsProduct(session, ElementType.F32, type, 128, 2, 3, 128, GpuProduct.Auto);
        }
    }

    public static void GemmInt4Groups_TensorCores_AreWithinTheirBound(GpuSession session)
    {
        if (session.Device.IsSimulator)
        {
            AssertGroupsProduct(session, ElementType.F16, ElementType.BF16, 32, 9, 5, 96, GpuProduct.TensorCores, emulate: true);
            AssertGroupsProduct(session, ElementType.F32, ElementType.F16, 64, 3, 7, 64, GpuProduct.TensorCores, emulate: true);
        }
        else if (session.HasTensorCores)
        {
            foreach (ElementType scale in Types)
            {
                AssertGroupsProduct(session, scale, ElementType.BF16, 32, 130, 131, 4128, GpuProduct.TensorCores);
                AssertGroupsProduct(session, scale, ElementType.F16, 128, 300, 129, 1024, GpuProduct.TensorCores);
            }
        }
    }

    public static void Int8Gemm_WithAndWithoutOutliers_IsTheCpus(GpuSession session)
    {
        foreach (ElementType type in Types)
        {
            foreach ((int m, int n, int k) in ((int, int, int)[])[(1, 3, 5), (5, 9, 64), (3, 70, 130)])
            {
                AssertInt8Gemm(session, type, m, n, k, threshold: 0f);
                AssertInt8Gemm(session, type, m, n, k, threshold: 2f);
            }
        }

        if (session.Device.IsSimulator) return;
        AssertInt8Gemm(session, ElementType.BF16, 130, 131, 1000, threshold: 2f);
        AssertInt8Gemm(session, ElementType.BF16, 300, 129, 4096, threshold: 0f);
    }

    public static void Int8Gemm_TensorKernelWithEmulatedCores_HasTheBitsOfTheCpu(GpuSession session)
    {
        if (!session.Device.IsSimulator) return;
        // Every stage twice and rows in 16 bytes; two tiles either way; rows by bytes, with outliers.
        AssertInt8Gemm(session, ElementType.BF16, 5, 9, 336, threshold: 0f, emulate: true);
        AssertInt8Gemm(session, ElementType.F16, 130, 9, 64, threshold: 0f, emulate: true);
        AssertInt8Gemm(session, ElementType.F16, 3, 131, 16, threshold: 0f, emulate: true);
        AssertInt8Gemm(session, ElementType.BF16, 3, 5, 67, threshold: 2f, emulate: true);
    }

    public static void Int8Gemm_SumsCarriedFrom32BitsTo64_HaveTheBitsOfTheCpu(GpuSession session)
    {
        AssertInt8Gemm(session, ElementType.F16, 3, 5, 201, threshold: 0f, stepsPerSum: 1);
        AssertInt8Gemm(session, ElementType.F16, 2, 3, 330, threshold: 0f, stepsPerSum: 2);
    }

    public static void Int8Gemm_SumsBeyond32Bits_AreExact(GpuSession session)
    {
        const int K = (1 << 17) + 64;
        if (session.Device.IsSimulator) return;
        byte[] stored = Store(ElementType.F16, [.. Enumerable.Repeat(1f, K)]);
        var x = Int8Activations.Prepare(1, K, ElementType.F16, stored, 0f);
        var codes = new sbyte[K];
        Array.Fill(codes, (sbyte)127);
        float[] expected = [0f], y = [0f];
        Int8Gemm.Run(x, 1, codes, [1f], expected, threads: 1, KernelPath.Reference);
        session.Int8Gemm(x, 1, codes, [1f], y);
        Assert.Equal(expected, y);
    }

    private static void AssertGroups4(GpuSession session, ElementType type, int groupSize, bool symmetric, float[] values)
    {
        byte[] source = Store(type, values);
        int groups = values.Length / groupSize;
        byte[] scales = new byte[groups * type.Size()], wantedScales = new byte[scales.Length];
        byte[] packed = new byte[values.Length / 2], wanted = new byte[packed.Length];
        sbyte[] zeros = new sbyte[symmetric ? 0 : groups], wantedZeros = new sbyte[zeros.Length];
        bool finite = QuantizeGroups4.Run(type, groupSize, symmetric, source, wantedScales, wantedZeros, wanted, KernelPath.Reference);
        string what = $"{type} groups of {groupSize} {(symmetric ? "symmetric" : "asymmetric")}";
        Assert.True(finite == session.QuantizeInt4Groups(type, groupSize, symmetric, source, scales, zeros, packed), what);
        AssertSame(wantedScales, scales, what + " scales");
        AssertSame(MemoryMarshal.AsBytes<sbyte>(wantedZeros), MemoryMarshal.AsBytes<sbyte>(zeros), what + " zero points");
        AssertSame(wanted, packed, what);
    }

    private static void AssertDecodedGroups4(GpuSession session, ElementType scaleType, ElementType type, int groupSize, int groups)
    {
        var random = new Random(groupSize);
        var packed = new byte[groups * groupSize / 2];
        random.NextBytes(packed);
        byte[] scales = Store(scaleType, FloatPalette.Mixed(random, groups, nonFinite: true));
        foreach (sbyte[] zeros in (sbyte[][])[[], [.. Enumerable.Range(0, groups).Select(group => (sbyte)(group % 16 - 8))]])
        {
            byte[] expected = new byte[groups * groupSize * type.Size()], actual = new byte[expected.Length];
            DequantizeGroups4.Run(scaleType, groupSize, packed, scales, zeros, type, expected, KernelPath.Reference);
            session.DequantizeInt4Groups(scaleType, groupSize, packed, scales, zeros, type, actual);
            AssertSameValues(type, expected, actual, $"{scaleType} to {type} groups of {groupSize}");
        }
    }

    private static void AssertGroupsProduct(
        GpuSession session, ElementType scaleType, ElementType type, int groupSize, int m, int n, int k, GpuProduct product, bool emulate = false)
    {
        var random = new Random(m + n + k);
        byte[] xs = Store(type, FloatPalette.Normals(k, m * k));
        var packed = new byte[n * k / 2];
        random.NextBytes(packed);
        int groups = n * k / groupSize;
        byte[] scales = Store(scaleType, [.. Enumerable.Range(0, groups).Select(_ => 0.01f + random.NextSingle())]);
        sbyte[] zeros = [.. Enumerable.Range(0, groups).Select(group => (sbyte)(group % 16 - 8))];
        float[] y = [.. Enumerable.Repeat(float.NaN, m * n)];
        if (emulate)
        {
            float[] pairs = [.. Values(scaleType, scales).SelectMany((scale, group) => (float[])[scale, 8 + zeros[group]])];
            Emulate(session, new ProductOperation(m, n, k, type, xs, WeightFormat.Int4Groups(groupSize, scaleType), packed, pairs, y, product) { Emulated = true });
        }
        else
        {
            session.MixedGemmGroups4(m, n, k, type, xs, groupSize, scaleType, packed, scales, zeros, y, product);
        }

        var weights = new byte[n * k * type.Size()];
        DequantizeGroups4.Run(scaleType, groupSize, packed, scales, zeros, type, weights, KernelPath.Reference);
        AssertWithinBound(session, type, m, n, k, xs, weights, y, product, $"int4 scales {scaleType}");
    }

    private static void AssertInt8Gemm(
        GpuSession session, ElementType type, int m, int n, int k, float threshold, bool emulate = false, int stepsPerSum = 1 << 10)
    {
        byte[] xs = Store(type, FloatPalette.Normals(k, m * k));
        var x = Int8Activations.Prepare(m, k, type, xs, threshold);
        var codes = new sbyte[n * k];
        new Random(n).NextBytes(MemoryMarshal.AsBytes(codes.AsSpan()));
        float[] scb = [.. FloatPalette.Normals(n, n).Select(MathF.Abs)];
        float[] expected = new float[m * n], y = [.. Enumerable.Repeat(float.NaN, m * n)];
        var operation = new Int8ProductOperation(x, n, codes, scb, y) { Emulated = emulate, StepsPerSum = stepsPerSum };
        session.Run(ref operation);
        string what = $"{type} [{m},{n},{k}] threshold {threshold}";
        if (x.OutlierColumns.IsEmpty)
        {
            Int8Gemm.Run(x, n, codes, scb, expected, threads: 1, KernelPath.Reference);
            AssertSame(Bytes(expected), Bytes(y), what);
            return;
        }

        double[] exact = new double[m * n], integers = new double[m * n], outliers = new double[m * n];
        int columns = ReferenceInt8Gemm.Run(m, n, k, type, xs, codes, scb, threshold, exact, integers, outliers);
        for (int i = 0; i < y.Length; i++)
        {
            Assert.True(Math.Abs(y[i] - exact[i]) <= Int8GemmBounds.For(columns, integers[i], outliers[i]), $"{what}: {i} is {y[i]}, not {exact[i]}");
        }
    }
}
