using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Search;

/// <summary>The search in 512-bit vectors.</summary>
internal readonly struct SearchKernel512 : ISearchKernel
{
    public static void Evaluate<TTable>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal, out float error, out float square)
        where TTable : struct, ISearchTable
    {
        // In bounds: i runs over whole vectors, and Find pads x and the weights to a multiple of 16.
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector512<float> scale = Vector512.Create(reciprocal), errors = default, squares = default;
        if (weights.IsEmpty)
        {
            for (int i = 0; i < x.Length; i += 16)
            {
                Vector512<float> y = Vector512.LoadUnsafe(ref values, (nuint)i) * scale;
                Vector512<float> value = TTable.Nearest(y), rest = y - value;
                errors = Vector512.MultiplyAddEstimate(rest, rest, errors);
                squares = Vector512.MultiplyAddEstimate(value, value, squares);
            }
        }
        else
        {
            for (int i = 0; i < x.Length; i += 16)
            {
                Vector512<float> y = Vector512.LoadUnsafe(ref values, (nuint)i) * scale;
                Vector512<float> weight = Vector512.LoadUnsafe(ref factors, (nuint)i);
                Vector512<float> value = TTable.Nearest(y), rest = y - value;
                errors = Vector512.MultiplyAddEstimate(rest * weight, rest, errors);
                squares = Vector512.MultiplyAddEstimate(value * weight, value, squares);
            }
        }

        error = Vector512.Sum(errors);
        square = Vector512.Sum(squares);
    }

    public static float Clipped<TTable>(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector512<float> scale = Vector512.Create(reciprocal), top = Vector512.Create(TTable.Top), sum = default;
        for (int i = 0; i < x.Length; i += 16)
        {
            Vector512<float> y = Vector512.Abs(Vector512.LoadUnsafe(ref values, (nuint)i) * scale);
            Vector512<float> beyond = Vector512.Max(y - top, Vector512<float>.Zero);
            Vector512<float> square = beyond * beyond;
            if (!weights.IsEmpty) square *= Vector512.LoadUnsafe(ref factors, (nuint)i);
            sum += square;
        }

        return Vector512.Sum(sum);
    }

    public static float Lost<TTable>(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector512<float> scale = Vector512.Create(reciprocal), zero = Vector512.Create(TTable.Zero), sum = default;
        for (int i = 0; i < x.Length; i += 16)
        {
            Vector512<float> y = Vector512.Abs(Vector512.LoadUnsafe(ref values, (nuint)i) * scale);
            Vector512<float> square = (y * y) & Vector512.LessThan(y, zero);
            if (!weights.IsEmpty) square *= Vector512.LoadUnsafe(ref factors, (nuint)i);
            sum += square;
        }

        return Vector512.Sum(sum);
    }

    public static bool AreNeighbours<TTable>(ReadOnlySpan<float> x, float first, float second)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        float changed = float.NaN;
        for (int i = 0; i < x.Length; i += 16)
        {
            Vector512<float> these = Vector512.LoadUnsafe(ref values, (nuint)i);
            Vector512<float> before = TTable.Nearest(these * Vector512.Create(first));
            Vector512<float> after = TTable.Nearest(these * Vector512.Create(second));
            ulong bits = ~Vector512.Equals(before, after).ExtractMostSignificantBits() & ((ulong)(1ul << 16) - 1);
            for (; bits != 0; bits &= bits - 1)
            {
                float here = x[i + BitOperations.TrailingZeroCount(bits)];
                if (float.IsNaN(changed)) changed = here;
                else if (here != changed) return false;
            }
        }

        return true;
    }

    public static void Decode<TTable>(ReadOnlySpan<float> x, float reciprocal, Span<float> values)
        where TTable : struct, ISearchTable
    {
        ref float source = ref MemoryMarshal.GetReference(x);
        ref float target = ref MemoryMarshal.GetReference(values[..x.Length]);
        Vector512<float> scale = Vector512.Create(reciprocal);
        for (int i = 0; i < x.Length; i += 16)
        {
            TTable.Nearest(Vector512.LoadUnsafe(ref source, (nuint)i) * scale).StoreUnsafe(ref target, (nuint)i);
        }
    }
}
