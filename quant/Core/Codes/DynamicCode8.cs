namespace Bnb.Quant.Codes;

/// <summary>
/// The signed 8-bit dynamic data type: a decimal exponent of 7 steps whose fraction gets more bits the larger it is
/// (Dettmers, 8-Bit Approximations for Parallelism in Deep Learning, arXiv:1511.04561). Table as bitsandbytes
/// <c>functional.py create_dynamic_map(signed=True)</c>, decision as the CUDA kernel's <c>dQuantize&lt;0&gt;</c>.
/// </summary>
public static class DynamicCode8
{
    private static readonly float[] Table = CreateTable();

    /// <summary>The 256 float32 values in ascending order by code for absmax 1: the stored <c>nested_quant_map</c>.</summary>
    public static ReadOnlySpan<float> Values => Table;

    /// <summary>
    /// The code whose value is nearest to <paramref name="x"/>, ties to the even code, midpoints rounded to float32. NaN gives
    /// 0, values beyond the ends the code of that end. Exact: the result of the kernel's search for every float32.
    /// </summary>
    public static byte Encode(float x) => float.IsNaN(x) ? (byte)0 : DynamicBuckets.Encode(x);

    /// <summary>The kernel's own search, step by step: the definition that <see cref="Encode"/> must equal.</summary>
    internal static byte EncodeReference(float x)
    {
        int pivot = 127, upperPivot = 255, lowerPivot = 0;
        float value = Table[pivot];
        for (int step = 64; step > 0; step >>= 1)
        {
            if (x > value)
            {
                lowerPivot = pivot;
                pivot += step;
            }
            else
            {
                upperPivot = pivot;
                pivot -= step;
            }

            value = Table[pivot];
        }

        if (x > value) return (byte)(x > (Table[upperPivot] + value) * 0.5f ? upperPivot : pivot);
        return (byte)(x < (Table[lowerPivot] + value) * 0.5f ? lowerPivot : pivot);
    }

    private static float[] CreateTable()
    {
        var values = new List<float> { 0f, 1f };
        for (int exponent = 0; exponent < 7; exponent++)
        {
            float[] boundaries = Linspace.Of(0.1f, 1f, (1 << exponent) + 1);
            float scale = (float)Math.Pow(10, exponent - 6);
            for (int i = 0; i + 1 < boundaries.Length; i++)
            {
                float mean = (boundaries[i] + boundaries[i + 1]) / 2f;
                values.Add(scale * mean);
                values.Add(-scale * mean);
            }
        }

        values.Sort();
        return [.. values];
    }
}
