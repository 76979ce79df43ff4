using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <see cref="Blockwise8"/>: per block of v = value - offset, absmax and the dynamic code. One group per block, of up to 256
/// threads that stride over it twice; the second time it comes from the cache. Shared memory: one word per thread for the
/// maximum. The code is looked up in the buckets of <see cref="DynamicBuckets"/>, which are read through the cache, for they
/// are 14 KiB. The offset is a word on the device, which other kernels may have written. Exact: a subtraction and a multiplication cannot be fused in this order.
/// </summary>
internal static class Quantize8Kernel
{
    public const int LargestGroup = 256;

    public static void Run(
        ArrayView<float> source,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> bounds,
        ArrayView<byte> ranks,
        ArrayView<float> offset,
        int count,
        int blocksize)
    {
        float centre = offset[0];
        ArrayView<int> shared = SharedMemory.Allocate<int>(LargestGroup);
        int first = Grid.IdxX * blocksize, end = Math.Min(first + blocksize, count);
        int largest = 0;
        for (int i = first + Group.IdxX; i < end; i += Group.DimX)
        {
            largest = Math.Max(largest, Magnitudes.Number(Bits.Of(source[i] - centre)));
        }

        largest = SharedMax.Of(largest, Group.DimX, shared);
        float scale = Bits.ToSingle(largest), reciprocal = 1f / scale;
        if (Group.IdxX == 0) absmax[Grid.IdxX] = scale;
        for (int i = first + Group.IdxX; i < end; i += Group.DimX)
        {
            float x = DeviceBlockScale.Apply(source[i] - centre, scale, reciprocal);
            int bucket = DynamicBuckets.BucketOfBits(Bits.Of(x));
            int code = ranks[bucket] + (x > bounds[bucket] ? 1 : 0);
            bool isNaN = (Bits.Of(x) & Magnitudes.Mask) > Magnitudes.Infinity;
            codes[i] = (byte)(isNaN ? 0 : code);
        }
    }
}
