using Bnb.Quant;
using Bnb.Quant.Gpu;

namespace Bnb.Tool.Devices;

/// <summary>One or more open GPUs. Each operation goes to the one with the fewest callers, so that several share the work.</summary>
/// <param name="isMixed">Whether some of the work stays on the CPU.</param>
internal sealed class GpuEngine(IReadOnlyList<GpuSession> sessions, KernelPath path, bool isMixed) : ComputeEngine(path)
{
    private readonly int[] _callers = new int[sessions.Count];
    private readonly Lock _lock = new();

    public override string Name => string.Join("+", sessions.Select(session => session.Device.Id)) + (isMixed ? "+" + Path.ToString().ToLowerInvariant() : "");

    // Copies and launches have a price of their own that small pieces would pay often.
    public override int PreferredChunkValues => sessions[0].Device.IsSimulator ? CpuEngine.ChunkValues : 1 << 22;

    public override bool Quantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
    {
        int index = Take();
        try
        {
            return sessions[index].Quantize4(code, type, blocksize, source, absmax, packed);
        }
        finally
        {
            Return(index);
        }
    }

    public override void QuantizeAbsmax(ReadOnlySpan<float> absmax, float offset, Span<byte> codes, Span<float> nestedAbsmax)
    {
        int index = Take();
        try
        {
            sessions[index].QuantizeAbsmax(absmax, offset, codes, nestedAbsmax);
        }
        finally
        {
            Return(index);
        }
    }

    public override void Dequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination)
    {
        int index = Take();
        try
        {
            sessions[index].Dequantize4(code, blocksize, type, packed, absmax, destination);
        }
        finally
        {
            Return(index);
        }
    }

    public override bool QuantizeInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes)
    {
        // A row is one unit there; longer ones than its buffers hold give the same bytes here.
        if (columns > sessions.Min(session => session.LongestRow(type))) return QuantizeRows8.Run(type, columns, source, absmax, codes, Path);
        int index = Take();
        try
        {
            return sessions[index].QuantizeInt8Rows(type, columns, source, absmax, codes);
        }
        finally
        {
            Return(index);
        }
    }

    public override void DequantizeInt8Rows(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination)
    {
        int index = Take();
        try
        {
            sessions[index].DequantizeInt8Rows(columns, codes, absmax, type, destination);
        }
        finally
        {
            Return(index);
        }
    }

    public override Func<int, double, double> Multiply4(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, Code4 code, int blocksize, int phase,
        ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<float> y)
    {
        int index = Take();
        try
        {
            sessions[index].MixedGemm4(m, n, k, type, x, code, blocksize, packed, absmax, y, phase: phase);
            return sessions[index].HasTensorCores ? BoundOnTensorCores : GemmBounds.ForFp32;
        }
        finally
        {
            Return(index);
        }
    }

    public override void Dispose()
    {
        foreach (GpuSession session in sessions) session.Dispose();
        base.Dispose();
    }

    // A single row takes another kernel, with the smaller bound of the two.
    private static double BoundOnTensorCores(int k, double magnitude) =>
        Math.Max(GpuProducts.TensorCoreBound(k, magnitude), GemmBounds.ForFp32(k, magnitude));

    private int Take()
    {
        lock (_lock)
        {
            int index = Array.IndexOf(_callers, _callers.Min());
            _callers[index]++;
            return index;
        }
    }

    private void Return(int index)
    {
        lock (_lock) _callers[index]--;
    }
}
