using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bnb.Quant.Search;

/// <summary>The vector work of the search at one width.</summary>
internal readonly struct SearchKernel<TVector, TLanes> : ISearchKernel
    where TVector : struct
    where TLanes : struct, ILanes<TVector>
{
    /// <summary>Values that are added up before the sum joins the others, which keeps rounding small in long rows.</summary>
    private const int Run = ISearchKernel.Run;

    // A vector holds one number for each of several scales, and x goes over all lanes: no sums across a vector. Inlined at five
    // places it would only be larger. In bounds: i is below x's length, and weights are as long.
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Evaluate<TTable>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ReadOnlySpan<float> scales, float inverse, Span<float> errors, Span<float> squares)
        where TTable : struct, ISearchTable
    {
        ref float values = ref MemoryMarshal.GetReference(x);
        ref float factors = ref MemoryMarshal.GetReference(weights);
        ref float places = ref MemoryMarshal.GetReference(scales);
        for (int lane = 0; lane < scales.Length; lane += TLanes.Count)
        {
            TVector scale = TLanes.Load(ref places, (nuint)lane), reciprocal = TLanes.Divide(TLanes.Create(1f), scale);
            TVector error = default, square = default;
            for (int start = 0; start < x.Length; start += Run)
            {
                int end = Math.Min(start + Run, x.Length);
                TVector errorHere = default, squareHere = default;
                if (weights.IsEmpty)
                {
                    for (int i = start; i < end; i++)
                    {
                        TVector y = TLanes.Multiply(TLanes.Create(Unsafe.Add(ref values, i)), reciprocal);
                        TVector value = TLanes.Nearest<TTable>(y), rest = TLanes.Subtract(y, value);
                        errorHere = TLanes.MultiplyAdd(rest, rest, errorHere);
                        squareHere = TLanes.MultiplyAdd(value, value, squareHere);
                    }
                }
                else
                {
                    for (int i = start; i < end; i++)
                    {
                        TVector y = TLanes.Multiply(TLanes.Create(Unsafe.Add(ref values, i)), reciprocal);
                        TVector weight = TLanes.Create(Unsafe.Add(ref factors, i));
                        TVector value = TLanes.Nearest<TTable>(y), rest = TLanes.Subtract(y, value);
                        errorHere = TLanes.MultiplyAdd(TLanes.Multiply(rest, weight), rest, errorHere);
                        squareHere = TLanes.MultiplyAdd(TLanes.Multiply(value, weight), value, squareHere);
                    }
                }

                error = TLanes.Add(error, errorHere);
                square = TLanes.Add(square, squareHere);
            }

            TVector ratio = TLanes.Multiply(scale, TLanes.Create(inverse));
            TLanes.Store(TLanes.Multiply(error, TLanes.Multiply(ratio, ratio)), ref MemoryMarshal.GetReference(errors), (nuint)lane);
            TLanes.Store(square, ref MemoryMarshal.GetReference(squares), (nuint)lane);
        }
    }

    public static void Decode<TTable>(ReadOnlySpan<float> x, float reciprocal, Span<float> values)
        where TTable : struct, ISearchTable
    {
        ref float source = ref MemoryMarshal.GetReference(x);
        ref float target = ref MemoryMarshal.GetReference(values[..x.Length]);
        TVector factor = TLanes.Create(reciprocal);
        for (int i = 0; i < x.Length; i += TLanes.Count)
        {
            TLanes.Store(TLanes.Nearest<TTable>(TLanes.Multiply(TLanes.Load(ref source, (nuint)i), factor)), ref target, (nuint)i);
        }
    }
}
