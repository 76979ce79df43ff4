using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>One int8 product and all ways to compute it.</summary>
internal sealed class Int8GemmProblem
{
    public const float Threshold = 6;

    public Int8GemmProblem(ElementType type, int m, int n, int k, float[] x, int seed)
    {
        (Type, M, N, K) = (type, m, n, k);
        X = Kernels.Store(type, x);
        var random = new Random(seed);
        Codes = new sbyte[n * k];
        // Including -128, which no quantizer writes but a file may hold.
        for (int i = 0; i < Codes.Length; i++) Codes[i] = (sbyte)random.Next(-128, 128);
        Scb = new float[n];
        for (int j = 0; j < n; j++) Scb[j] = random.Next(20) == 0 ? 0 : 0.01f + random.NextSingle();
    }

    public ElementType Type { get; }

    public int M { get; }

    public int N { get; }

    public int K { get; }

    public byte[] X { get; }

    public sbyte[] Codes { get; }

    public float[] Scb { get; }

    /// <summary>Every path, with and without the VNNI products where there is the choice.</summary>
    public static IEnumerable<(KernelPath Path, bool Vnni)> Ways()
    {
        foreach (KernelPath path in KernelPaths.Available)
        {
            yield return (path, false);
            bool hasChoice = path is KernelPath.V256 or KernelPath.V512;
            if (hasChoice && System.Runtime.Intrinsics.X86.AvxVnni.IsSupported) yield return (path, true);
        }
    }

    /// <summary>Normal values; every outlierStep-th column has an outlier in some row, none with 0.</summary>
    public static float[] Activations(int seed, int m, int k, int outlierStep)
    {
        float[] x = FloatPalette.Normals(seed, m * k);
        for (int i = 0; i < x.Length; i++) x[i] = Math.Clamp(x[i], -5.5f, 5.5f);
        var random = new Random(seed);
        for (int p = outlierStep - 1; m > 0 && outlierStep > 0 && p < k; p += outlierStep)
        {
            x[random.Next(m) * k + p] = (random.Next(2) * 2 - 1) * (6 + 50 * random.NextSingle());
        }

        return x;
    }

    public Int8Activations Prepare(float threshold = Threshold) => Int8Activations.Prepare(M, K, Type, X, threshold);

    public float[] Run((KernelPath Path, bool Vnni) way, float threshold = Threshold, int threads = 2)
    {
        float[] y = [.. Enumerable.Repeat(float.NaN, M * N)];
        Int8Gemm.Run(Prepare(threshold), N, Codes, Scb, y, threads, way.Path, way.Vnni);
        return y;
    }

    /// <summary>Measures results by the yardstick: the largest error in units of the bound.</summary>
    public Func<float[], double> Yardstick(float threshold = Threshold)
    {
        double[] expected = new double[M * N], parts = new double[M * N], magnitudes = new double[M * N];
        int outliers = ReferenceInt8Gemm.Run(M, N, K, Type, X, Codes, Scb, threshold, expected, parts, magnitudes);
        return y =>
        {
            double worst = 0;
            for (int i = 0; i < y.Length; i++)
            {
                double ratio = Math.Abs(y[i] - expected[i]) / Int8GemmBounds.For(outliers, parts[i], magnitudes[i]);
                if (!(ratio <= worst)) worst = double.IsNaN(ratio) ? double.PositiveInfinity : ratio;
            }

            return worst;
        };
    }

    /// <summary>Fails unless all bits are the same.</summary>
    public static void AssertSame(float[] expected, float[] actual, string what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            bool same = BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]);
            Assert.True(same, $"{what}: {i} of {expected.Length} is {actual[i]:R}, expected {expected[i]:R}");
        }
    }
}
