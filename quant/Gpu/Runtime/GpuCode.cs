using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>The tables of a 4-bit type as the kernels take them, from those of the CPU.</summary>
internal sealed class GpuCode
{
    private GpuCode(long[] buckets, float[] thresholds, float[] values)
    {
        Buckets = buckets;
        Thresholds = thresholds;
        Values = values;
    }

    /// <summary>32 buckets, see <see cref="BucketTable{TCode}"/>.</summary>
    public long[] Buckets { get; }

    /// <summary>Ascending.</summary>
    public float[] Thresholds { get; }

    /// <summary>The 16 values.</summary>
    public float[] Values { get; }

    /// <summary>The tables of a type.</summary>
    /// <exception cref="GpuException">There are no kernels for it.</exception>
    public static GpuCode Of(Code4 code)
    {
        if (code == Code4Catalog.Nf4) return Of<Nf4>(code);
        if (code == Code4Catalog.Fp4) return Of<Fp4>(code);
        throw new GpuException($"no GPU kernels for the type {code}");
    }

    private static GpuCode Of<TCode>(Code4 code)
        where TCode : struct, ICode4
    {
        var buckets = new long[32];
        for (int i = 0; i < buckets.Length; i++)
        {
            buckets[i] = Bucket.Word(BucketTable<TCode>.Bounds[i], BucketTable<TCode>.Ranks[i]);
        }

        // The table is made with a fused multiplication and addition; a device may use two roundings. Both are monotone, so
        // both are right if they agree on where the thresholds are.
        foreach (float threshold in TCode.Thresholds)
        {
            float product = threshold * BucketTable<TCode>.Density;
            int unfused = BitConverter.SingleToInt32Bits(product + BucketTable<TCode>.Shifter)
                - BitConverter.SingleToInt32Bits(BucketTable<TCode>.Shifter);
            if (unfused != BucketTable<TCode>.BucketOf(threshold)) throw new InvalidOperationException($"{code}: {threshold}");
        }

        return new GpuCode(buckets, TCode.Thresholds.ToArray(), code.Values.ToArray());
    }
}
