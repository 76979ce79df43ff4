using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Search;

/// <summary>The search in 256-bit vectors.</summary>
internal readonly struct SearchKernel256 : ISearchKernel
{
    public static void Evaluate<TTable>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal, out float error, out float square)
        where TTable : struct, ISearchTable
    {
        // In bounds: i runs over whole vectors, and Find pads x and the weights to a multiple of 16.
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector256<float> scale = Vector256.Create(reciprocal), errors = default, squares = default;
        if (weights.IsEmpty)
        {
            for (int i = 0; i < x.Length; i += 8)
            {
                Vector256<float> y = Vector256.LoadUnsafe(ref values, (nuint)i) * scale;
                Vector256<float> value = TTable.Nearest(y), rest = y - value;
                errors = Vector256.MultiplyAddEstimate(rest, rest, errors);
                squares = Vector256.MultiplyAddEstimate(value, value, squares);
            }
        }
        else
        {
            for (int i = 0; i < x.Length; i += 8)
            {
                Vector256<float> y = Vector256.LoadUnsafe(ref values, (nuint)i) * scale;
                Vector256<float> weight = Vector256.LoadUnsafe(ref factors, (nuint)i);
                Vector256<float> value = TTable.Nearest(y), rest = y - value;
                errors = Vector256.MultiplyAddEstimate(rest * weight, rest, errors);
                squares = Vector256.MultiplyAddEstimate(value * weight, value, squares);
            }
        }

        error = Vector256.Sum(errors);
        square = Vector256.Sum(squares);
    }

    public static float Clipped<TTable>(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector256<float> scale = Vector256.Create(reciprocal), top = Vector256.Create(TTable.Top), sum = default;
        for (int i = 0; i < x.Length; i += 8)
        {
            Vector256<float> y = Vector256.Abs(Vector256.LoadUnsafe(ref values, (nuint)i) * scale);
            Vector256<float> beyond = Vector256.Max(y - top, Vector256<float>.Zero);
            Vector256<float> square = beyond * beyond;
            if (!weights.IsEmpty) square *= Vector256.LoadUnsafe(ref factors, (nuint)i);
            sum += square;
        }

        return Vector256.Sum(sum);
    }

    public static float Lost<TTable>(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector256<float> scale = Vector256.Create(reciprocal), zero = Vector256.Create(TTable.Zero), sum = default;
        for (int i = 0; i < x.Length; i += 8)
        {
            Vector256<float> y = Vector256.Abs(Vector256.LoadUnsafe(ref values, (nuint)i) * scale);
            Vector256<float> square = (y * y) & Vector256.LessThan(y, zero);
            if (!weights.IsEmpty) square *= Vector256.LoadUnsafe(ref factors, (nuint)i);
            sum += square;
        }

        return Vector256.Sum(sum);
    }

    public static bool AreNeighbours<TTable>(ReadOnlySpan<float> x, float first, float second)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        float changed = float.NaN;
        for (int i = 0; i < x.Length; i += 8)
        {
            Vector256<float> these = Vector256.LoadUnsafe(ref values, (nuint)i);
            Vector256<float> before = TTable.Nearest(these * Vector256.Create(first));
            Vector256<float> after = TTable.Nearest(these * Vector256.Create(second));
            uint bits = ~Vector256.Equals(before, after).ExtractMostSignificantBits() & ((uint)(1ul << 8) - 1);
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
        Vector256<float> scale = Vector256.Create(reciprocal);
        for (int i = 0; i < x.Length; i += 8)
        {
            TTable.Nearest(Vector256.LoadUnsafe(ref source, (nuint)i) * scale).StoreUnsafe(ref target, (nuint)i);
        }
    }
}
