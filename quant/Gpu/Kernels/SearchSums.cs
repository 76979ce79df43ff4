using Bnb.Quant.Search;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The sums of a search over one block, of which the float64 ones are those of <see cref="BlockError"/>, to the bit: each of 8
/// neighbouring threads adds up the values whose index modulo 8 is its own. A product passes through an exclusive-or with a zero
/// that the compiler does not know before it is added, so that it cannot be fused.
/// </summary>
/// <typeparam name="TTable">Values and decisions.</typeparam>
internal static class SearchSums<TTable>
    where TTable : struct, ISearchedTable
{
    /// <summary>Values that are added up one after the other in float32; their sums are added up in turn.</summary>
    private const int Run = ISearchKernel.Run;

    /// <summary>error = sum of weight * (y - v)^2, square = sum of weight * v^2, in float32: bounded, to steer by. Fused or not.</summary>
    public static SearchPoint Estimate(SearchBlock block, float reciprocal)
    {
        SearchPoint all = default;
        for (int start = 0; start < block.Stride; start += Run)
        {
            int end = Math.Min(start + Run, block.Stride);
            SearchPoint part = default;
            if (block.Weighted == 0)
            {
                for (int i = start; i < end; i += 4)
                {
                    Quad values = block.X[(block.First + i) >> 2];
                    part = Add(part, block, values.A, reciprocal);
                    part = Add(part, block, values.B, reciprocal);
                    part = Add(part, block, values.C, reciprocal);
                    part = Add(part, block, values.D, reciprocal);
                }
            }
            else
            {
                for (int i = start; i < end; i += 4)
                {
                    Quad values = block.X[(block.First + i) >> 2], weights = block.W[(block.First + i) >> 2];
                    part = Add(part, block, values.A, weights.A, reciprocal);
                    part = Add(part, block, values.B, weights.B, reciprocal);
                    part = Add(part, block, values.C, weights.C, reciprocal);
                    part = Add(part, block, values.D, weights.D, reciprocal);
                }
            }

            all.Error += part.Error;
            all.Square += part.Square;
        }

        return all;
    }

    /// <summary>A thread's part of <see cref="BlockError.Of"/>.</summary>
    /// <param name="place">The index modulo 8.</param>
    public static double Error(SearchBlock block, float scale, int place)
    {
        float reciprocal = 1f / scale;
        double sum = 0, factor = scale;
        for (int i = block.First + place; i < block.First + block.Stride; i += 8)
        {
            float x = block.Values[i];
            double value = TTable.Value(x * reciprocal, block.Buckets, block.Map, block.Zero);
            double rest = x - Rounded(factor * value, block.Zero), square = rest * rest;
            if (block.Weighted != 0) square = Rounded(square, block.Zero) * block.Weights[i];
            sum += Rounded(square, block.Zero);
        }

        return sum;
    }

    /// <summary>A thread's part of the sums of <see cref="BlockError.LeastSquares"/>.</summary>
    /// <param name="scale">Whose values are taken.</param>
    /// <param name="place">The index modulo 8.</param>
    /// <param name="squares">The denominator's sum instead of the numerator's.</param>
    public static double LeastSquares(SearchBlock block, float scale, int place, bool squares)
    {
        float reciprocal = 1f / scale;
        double sum = 0;
        for (int i = block.First + place; i < block.First + block.Stride; i += 8)
        {
            float x = block.Values[i], value = TTable.Value(x * reciprocal, block.Buckets, block.Map, block.Zero);
            double left = value, right = squares ? value : x;
            if (block.Weighted != 0) left = Rounded(left * block.Weights[i], block.Zero);
            sum += Rounded(left * right, block.Zero);
        }

        return sum;
    }

    private static SearchPoint Add(SearchPoint sum, SearchBlock block, int x, float reciprocal)
    {
        float y = Bits.ToSingle(x) * reciprocal, value = TTable.Value(y, block.Buckets, block.Map, block.Zero), rest = y - value;
        sum.Error += rest * rest;
        sum.Square += value * value;
        return sum;
    }

    private static SearchPoint Add(SearchPoint sum, SearchBlock block, int x, int weight, float reciprocal)
    {
        float y = Bits.ToSingle(x) * reciprocal, value = TTable.Value(y, block.Buckets, block.Map, block.Zero), rest = y - value;
        sum.Error += rest * Bits.ToSingle(weight) * rest;
        sum.Square += value * Bits.ToSingle(weight) * value;
        return sum;
    }

    private static double Rounded(double product, int zero) => Interop.IntAsFloat(Interop.FloatAsInt(product) ^ (ulong)(uint)zero);
}

/// <summary>What one scale does to a block.</summary>
internal struct SearchPoint
{
    /// <summary>In float32, in units of absmax^2 where it is kept.</summary>
    public float Error;

    /// <summary>Sum of weight * value^2, in float32.</summary>
    public float Square;
}

/// <summary>One block and the tables that it is searched with.</summary>
internal struct SearchBlock
{
    /// <summary>Values of all blocks, four at a time.</summary>
    public ArrayView<Quad> X;

    /// <summary>Their weights; unused where there are none.</summary>
    public ArrayView<Quad> W;

    /// <summary>The values one by one.</summary>
    public ArrayView<float> Values;

    /// <summary>The weights one by one.</summary>
    public ArrayView<float> Weights;

    /// <summary>Of the 4-bit types.</summary>
    public ArrayView<long> Buckets;

    /// <summary>Values by code of the 4-bit types.</summary>
    public ArrayView<float> Map;

    /// <summary>Where the block begins.</summary>
    public int First;

    /// <summary>See <see cref="SearchShape"/>.</summary>
    public int Stride;

    /// <summary>See <see cref="SearchShape"/>.</summary>
    public int Weighted;

    /// <summary>See <see cref="SearchShape"/>.</summary>
    public int Zero;
}
