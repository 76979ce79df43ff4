namespace Bnb.Quant.Gpu.Operations;

/// <summary>What is known in advance of the products.</summary>
public static class GpuProducts
{
    /// <summary>
    /// |ours - reference| for a sum made on tensor cores, for finite operands without overflow: 18 ceil(k / 16) 2^-23 S + (k + 1)
    /// 2^-149, to first order. Each mma adds 16 exact products to the running sum, aligned to the largest term and cut off below its 24 bits,
    /// never rounded: each of the 17 terms and the result may so lose 2^-23 of the largest term, which S bounds. Over
    /// ceil(k / 16) instructions, each 18 * 2^-23 S, and the 2 of the reference on top.
    /// </summary>
    /// <param name="k">Products per sum.</param>
    /// <param name="sumAbsProducts">S, the sum of |x| |w|, not negative.</param>
    public static double TensorCoreBound(int k, double sumAbsProducts)
    {
        double cuts = (k + 15) / 16 * 18.0 + 2;
        return cuts * Math.ScaleB(sumAbsProducts, -23) * (1 + cuts * Math.ScaleB(1, -23)) + (k + 1.0) * Math.ScaleB(1, -149);
    }
}
