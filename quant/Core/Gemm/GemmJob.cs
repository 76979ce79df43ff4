using System.Runtime.CompilerServices;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Gemm;

/// <summary>Shape, activations and result of one matrix product. Valid while the caller keeps the memory fixed; lengths have
/// been checked.</summary>
internal readonly unsafe struct GemmJob(int m, int n, int k, ElementType type, byte* x, float* y, int threads)
{
    public readonly int M = m;
    public readonly int N = n;
    public readonly int K = k;
    public readonly float* Y = y;
    public readonly int Threads = threads;
    private readonly ElementType _type = type;
    private readonly byte* _x = x;

    /// <summary>The same product for a run of rows of x and y.</summary>
    public GemmJob Rows(int first, int count) =>
        new(count, N, K, _type, _x + (nint)first * K * _type.Size(), Y + (nint)first * N, Threads);

    /// <summary>x[row, first .. first + count] as float32; zeros for a row beyond the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Load(int row, int first, int count, float* destination)
    {
        var values = new Span<float>(destination, count);
        if (row >= M)
        {
            values.Clear();
            return;
        }

        int size = _type.Size();
        Widen.ToSingle(_type, new ReadOnlySpan<byte>(_x + ((nint)row * K + first) * size, count * size), values);
    }
}
