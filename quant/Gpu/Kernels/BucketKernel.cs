using Bnb.Quant.Codes;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The thresholds of a 4-bit code whose values ascend, and its buckets as <see cref="BucketTable{TCode}"/> makes them, from
/// the values on the device. One group of 32 threads, a bucket each; shared memory: the thresholds. Exact: sums of two float32
/// and comparisons; for the products see <see cref="BucketEncoder{TCode}"/>.
/// </summary>
internal static class BucketKernel
{
    /// <summary>Threads of the group: buckets of a table.</summary>
    public const int Buckets = 32;

    private const int Thresholds = 15;

    /// <param name="values">16, ascending.</param>
    /// <param name="thresholds">15, written: the midpoints.</param>
    /// <param name="buckets">32, written.</param>
    public static void Run(ArrayView<float> values, ArrayView<float> thresholds, ArrayView<long> buckets)
    {
        ArrayView<float> bounds = SharedMemory.Allocate<float>(Thresholds + 1);
        int thread = Group.IdxX;
        if (thread < Thresholds)
        {
            float midpoint = NormalFloat.Midpoint(values[thread], values[thread + 1]);
            bounds[thread] = midpoint;
            thresholds[thread] = midpoint;
        }

        Group.Barrier();
        // Numbers modulo 32 stand for -15 to 15; 16 is never looked up.
        int bucket = thread < Buckets / 2 ? thread : thread - Buckets, rank = 0;
        float inside = Bits.ToSingle(Magnitudes.Infinity);
        for (int i = 0; i < Thresholds; i++)
        {
            int place = Bucket.Of(bounds[i]);
            if (place < bucket) rank++;
            if (place == bucket) inside = bounds[i];
        }

        buckets[thread] = Bucket.Word(inside, rank);
    }
}
