using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Search;

/// <summary>The search in 128-bit vectors.</summary>
internal readonly struct SearchKernel128 : ISearchKernel
{
    public static void Evaluate<TTable>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal, out float error, out float square)
        where TTable : struct, ISearchTable
    {
        // In bounds: i runs over whole vectors, and Find pads x and the weights to a multiple of 16.
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector128<float> scale = Vector128.Create(reciprocal), errors = default, squares = default;
        if (weights.IsEmpty)
        {
            for (int i = 0; i < x.Length; i += 4)
            {
                Vector128<float> y = Vector128.LoadUnsafe(ref values, (nuint)i) * scale;
                Vector128<float> value = TTable.Nearest(y), rest = y - value;
                errors = Vector128.MultiplyAddEstimate(rest, rest, errors);
                squares = Vector128.MultiplyAddEstimate(value, value, squares);
            }
        }
        else
        {
            for (int i = 0; i < x.Length; i += 4)
            {
                Vector128<float> y = Vector128.LoadUnsafe(ref values, (nuint)i) * scale;
                Vector128<float> weight = Vector128.LoadUnsafe(ref factors, (nuint)i);
                Vector128<float> value = TTable.Nearest(y), rest = y - value;
                errors = Vector128.MultiplyAddEstimate(rest * weight, rest, errors);
                squares = Vector128.MultiplyAddEstimate(value * weight, value, squares);
            }
        }

        error = Vector128.Sum(errors);
        square = Vector128.Sum(squares);
    }

    public static float Clipped<TTable>(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector128<float> scale = Vector128.Create(reciprocal), top = Vector128.Create(TTable.Top), sum = default;
        for (int i = 0; i < x.Length; i += 4)
        {
            Vector128<float> y = Vector128.Abs(Vector128.LoadUnsafe(ref values, (nuint)i) * scale);
            Vector128<float> beyond = Vector128.Max(y - top, Vector128<float>.Zero);
            Vector128<float> square = beyond * beyond;
            if (!weights.IsEmpty) square *= Vector128.LoadUnsafe(ref factors, (nuint)i);
            sum += square;
        }

        return Vector128.Sum(sum);
    }

    public static float Lost<TTable>(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        Vector128<float> scale = Vector128.Create(reciprocal), zero = Vector128.Create(TTable.Zero), sum = default;
        for (int i = 0; i < x.Length; i += 4)
        {
            Vector128<float> y = Vector128.Abs(Vector128.LoadUnsafe(ref values, (nuint)i) * scale);
            Vector128<float> square = (y * y) & Vector128.LessThan(y, zero);
            if (!weights.IsEmpty) square *= Vector128.LoadUnsafe(ref factors, (nuint)i);
            sum += square;
        }

        return Vector128.Sum(sum);
    }

    public static bool AreNeighbours<TTable>(ReadOnlySpan<float> x, float first, float second)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        float changed = float.NaN;
        for (int i = 0; i < x.Length; i += 4)
        {
            Vector128<float> these = Vector128.LoadUnsafe(ref values, (nuint)i);
            Vector128<float> before = TTable.Nearest(these * Vector128.Create(first));
            Vector128<float> after = TTable.Nearest(these * Vector128.Create(second));
            uint bits = ~Vector128.Equals(before, after).ExtractMostSignificantBits() & ((uint)(1ul << 4) - 1);
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
        Vector128<float> scale = Vector128.Create(reciprocal);
        for (int i = 0; i < x.Length; i += 4)
        {
            TTable.Nearest(Vector128.LoadUnsafe(ref source, (nuint)i) * scale).StoreUnsafe(ref target, (nuint)i);
        }
    }
}
