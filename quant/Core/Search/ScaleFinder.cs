using System.Runtime.Intrinsics;
using Bnb.Quant.Backends;

namespace Bnb.Quant.Search;

/// <summary>The search on a kernel path, bound to a set of scales.</summary>
internal delegate ScaleChoice ScaleFinder(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float absmax);

/// <summary>The choice of a path, made once for many blocks.</summary>
internal static class ScaleFinders
{
    /// <summary>The finder of a path. Not for several threads at once.</summary>
    public static ScaleFinder On<TTable, TSet>(KernelPath path, TSet set)
        where TTable : struct, ISearchTable
        where TSet : IScaleSet => path switch
        {
            KernelPath.V512 => new BlockSearch<TTable, SearchKernel<Vector512<float>, Lanes512>, TSet>(set).Find,
            KernelPath.V256 => new BlockSearch<TTable, SearchKernel<Vector256<float>, Lanes256>, TSet>(set).Find,
            KernelPath.V128 => new BlockSearch<TTable, SearchKernel<Vector128<float>, Lanes128>, TSet>(set).Find,
            _ => (x, weights, absmax) => BlockSearchReference<TTable, TSet>.Find(set, x, weights, absmax),
        };

    /// <summary>The values that a reciprocal of a scale gives a block. Exact.</summary>
    public static void Decode<TTable>(KernelPath path, ReadOnlySpan<float> x, float reciprocal, Span<float> values)
        where TTable : struct, ISearchTable
    {
        if (path == KernelPath.V512) SearchKernel<Vector512<float>, Lanes512>.Decode<TTable>(x, reciprocal, values);
        else if (path == KernelPath.V256) SearchKernel<Vector256<float>, Lanes256>.Decode<TTable>(x, reciprocal, values);
        else SearchKernel<Vector128<float>, Lanes128>.Decode<TTable>(x, reciprocal, values);
    }

    /// <summary>The codes that a reciprocal of a scale gives a block: the table's choice for x * reciprocal. Exact: the same
    /// on every path.</summary>
    /// <param name="values">Room for as many values as x has.</param>
    public static void Encode<TTable>(
        KernelPath path, ReadOnlySpan<float> x, float reciprocal, Span<float> values, Span<byte> codes)
        where TTable : struct, ISearchTable
    {
        if (path == KernelPath.Reference)
        {
            for (int i = 0; i < codes.Length; i++) codes[i] = TTable.Encode(x[i] * reciprocal);
            return;
        }

        Decode<TTable>(path, x, reciprocal, values);
        for (int i = 0; i < codes.Length; i++) codes[i] = TTable.CodeOf(values[i]);
    }
}
