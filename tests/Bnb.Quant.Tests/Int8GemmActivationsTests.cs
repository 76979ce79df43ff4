using System.Runtime.InteropServices;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>How activations are quantized, against bitsandbytes' bytes and against the definition, one value at a time.</summary>
public class Int8GemmActivationsTests
{
    [Theory]
    [InlineData("float32", ElementType.F32)]
    [InlineData("float16", ElementType.F16)]
    [InlineData("bfloat16", ElementType.BF16)]
    public void Prepare_GoldenInputWithoutThreshold_GivesGoldenBytes(string name, ElementType type)
    {
        // bitsandbytes quantizes activations and weights by one operation.
        GoldenTensors golden = GoldenTensors.Load($"int8_{name}_40x96.safetensors");
        Int8Activations x = Int8Activations.Prepare(40, 96, type, golden.Bytes("A"), 0);
        Assert.Equal(golden.Bytes("int8"), MemoryMarshal.AsBytes(x.Codes).ToArray());
        Assert.Equal(golden.Floats("SCB"), x.Scales.ToArray());
        Assert.Equal((0, 0), (x.OutlierColumns.Length, x.OutlierValues.Length));
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(6f)]
    [InlineData(5.3f)]
    [InlineData(0.7f)]
    [InlineData(1e-9f)]
    [InlineData(65504f)]
    [InlineData(1e9f)]
    [InlineData(float.PositiveInfinity)]
    public void Prepare_AnyValues_IsTheDefinition(float threshold)
    {
        var random = new Random(3);
        foreach (ElementType type in Kernels.Types)
        {
            foreach (int k in (int[])[1, 7, 8, 15, 16, 17, 64, 333])
            {
                int m = random.Next(1, 9);
                float[] values = random.Next(2) == 0
                    ? FloatPalette.Mixed(random, m * k, nonFinite: true)
                    : FloatPalette.Normals(k, m * k, 3);
                byte[] stored = Kernels.Store(type, values);
                Widen.ToSingle(type, stored, values);
                AssertDefinition(m, k, values, threshold, Int8Activations.Prepare(m, k, type, stored, threshold, 1 + m % 3));
            }
        }
    }

    [Fact]
    public void Prepare_Outliers_AreJudgedAsFloat16AndClearTheirColumns()
    {
        // 5.999 rounds to 6 in float16 and so is an outlier, 5.99 is none. Column 0 counts for the scale of the second row.
        float[] x = [5.999f, 1, 5.99f, 4, 2, -0.5f, 0, 0, 0];
        Int8Activations prepared = Int8Activations.Prepare(3, 3, ElementType.F32, Kernels.Store(ElementType.F32, x), 6);
        Assert.Equal([0], prepared.OutlierColumns.ToArray());
        Assert.Equal([5.999f, 4, 0], prepared.OutlierValues.ToArray());
        Assert.Equal([(float)(Half)5.99f, 4, 0], prepared.Scales.ToArray());
        Assert.Equal([0, 21, 127, 0, 64, -16, 0, 0, 0], prepared.Codes.ToArray().Select(code => (int)code));
    }

    [Fact]
    public void Prepare_InputBetweenGuardPages_StaysInside()
    {
        float[] x = FloatPalette.Normals(4, 5 * 37, 4);
        foreach (ElementType type in Kernels.Types)
        {
            byte[] stored = Kernels.Store(type, x);
            foreach (GuardSide side in Enum.GetValues<GuardSide>())
            {
                using var memory = new GuardedMemory(stored.Length, side);
                stored.CopyTo(memory.Span);
                Widen.ToSingle(type, stored, x);
                AssertDefinition(5, 37, x, 6, Int8Activations.Prepare(5, 37, type, memory.Span, 6));
            }
        }
    }

    private static void AssertDefinition(int m, int k, float[] values, float threshold, Int8Activations actual)
    {
        float[] halves = [.. values.Select(value => (float)(Half)value)];
        bool IsOutlier(float half) => threshold > 0 && Math.Abs(half) >= (float)(Half)threshold;
        int[] columns = [.. Enumerable.Range(0, k).Where(p => Enumerable.Range(0, m).Any(i => IsOutlier(halves[i * k + p])))];
        Assert.Equal(columns, actual.OutlierColumns.ToArray());
        for (int i = 0; i < m; i++)
        {
            float[] row = halves[(i * k)..((i + 1) * k)];
            float absmax = row.Where(half => !float.IsNaN(half) && !IsOutlier(half)).Select(Math.Abs).DefaultIfEmpty().Max();
            Assert.Equal(absmax, actual.Scales[i]);
            for (int p = 0; p < k; p++)
            {
                float scaled = row[p] * (1f / absmax * 127f);
                int expected = columns.Contains(p) || float.IsNaN(scaled) ? 0 : (int)Math.Round((double)scaled);
                Assert.Equal(expected, actual.Codes[i * k + p]);
            }

            for (int o = 0; o < columns.Length; o++)
            {
                Assert.Equal(values[i * k + columns[o]], actual.OutlierValues[i * columns.Length + o]);
            }
        }
    }
}
