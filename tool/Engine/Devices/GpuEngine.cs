using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Fp8;
using Bnb.Quant.Gemm;
using Bnb.Quant.Gpu;
using Bnb.Quant.Gpu.Operations;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Engine.Devices;

/// <summary>One or more open GPUs. Each operation goes to the one with the fewest callers, so that several share the work.</summary>
internal sealed class GpuEngine(IReadOnlyList<GpuSession> sessions, KernelPath path) : ComputeEngine(path)
{
    private readonly IReadOnlyList<GpuSession> _sessions = sessions;
    private readonly int[] _callers = new int[sessions.Count];
    private readonly Lock _lock = new();

    public override string Name => string.Join("+", _sessions.Select(session => session.Device.Id));

    // Copies and launches have a price of their own that small pieces would pay often.
    public override int PreferredChunkValues => _sessions[0].Device.IsSimulator ? CpuEngine.ChunkValues : 1 << 22;

    public override bool Quantize4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
    {
        using Lease lease = new(this);
        return lease.Session.Quantize4(code, type, blocksize, source, absmax, packed);
    }

    public override void QuantizeAbsmax(ReadOnlySpan<float> absmax, float offset, Span<byte> codes, Span<float> nestedAbsmax)
    {
        using Lease lease = new(this);
        lease.Session.QuantizeAbsmax(absmax, offset, codes, nestedAbsmax);
    }

    public override void Dequantize4(
        Code4 code, int blocksize, ElementType type, ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<byte> destination)
    {
        using Lease lease = new(this);
        lease.Session.Dequantize4(code, blocksize, type, packed, absmax, destination);
    }

    public override bool QuantizeInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, Span<float> absmax, Span<sbyte> codes)
    {
        // A row is one unit there; longer ones than its buffers hold give the same bytes here.
        if (columns > _sessions.Min(session => session.LongestRow(type))) return QuantizeRows8.Run(type, columns, source, absmax, codes, Path);
        using Lease lease = new(this);
        return lease.Session.QuantizeInt8Rows(type, columns, source, absmax, codes);
    }

    public override bool QuantizeFp8(ElementType type, int columns, ReadOnlySpan<byte> source, Span<byte> scales, Span<byte> codes)
    {
        // As of int8.
        if (columns > _sessions.Min(session => session.LongestRow(type))) return QuantizeFp8Rows.Run(type, columns, source, scales, codes, Path);
        using Lease lease = new(this);
        return lease.Session.QuantizeFp8(type, columns, source, scales, codes);
    }

    public override void DequantizeInt8Rows(
        int columns, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> absmax, ElementType type, Span<byte> destination)
    {
        using Lease lease = new(this);
        lease.Session.DequantizeInt8Rows(columns, codes, absmax, type, destination);
    }

    public override bool HasDenseProducts => true;

    public override void Multiply(int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y, int threads)
    {
        using Lease lease = new(this);
        lease.Session.Gemm(m, n, k, x, w, y);
    }

    public override Func<int, double, double> Multiply4(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, Code4 code, int blocksize, int phase,
        ReadOnlySpan<byte> packed, ReadOnlySpan<float> absmax, Span<float> y)
    {
        using Lease lease = new(this);
        lease.Session.MixedGemm4(m, n, k, type, x, code, blocksize, packed, absmax, y, phase: phase);
        return lease.Session.HasTensorCores ? BoundOnTensorCores : GemmBounds.ForFp32;
    }

    public override bool QuantizeInt4Groups(
        ElementType type, int groupSize, bool symmetric, ReadOnlySpan<byte> source, Span<byte> scales, Span<sbyte> zeroPoints, Span<byte> packed)
    {
        using Lease lease = new(this);
        return lease.Session.QuantizeInt4Groups(type, groupSize, symmetric, source, scales, zeroPoints, packed);
    }

    public override void DequantizeInt4Groups(
        ElementType scaleType, int groupSize, ReadOnlySpan<byte> packed, ReadOnlySpan<byte> scales, ReadOnlySpan<sbyte> zeroPoints,
        ElementType type, Span<byte> destination)
    {
        // A group is one unit there, as a row of int8 is; files of others may have groups as long as a row.
        if (!_sessions.All(session => session.FitsGroup(groupSize)))
        {
            DequantizeGroups4.Run(scaleType, groupSize, packed, scales, zeroPoints, type, destination, Path);
            return;
        }

        using Lease lease = new(this);
        lease.Session.DequantizeInt4Groups(scaleType, groupSize, packed, scales, zeroPoints, type, destination);
    }

    public override Func<int, double, double> MultiplyInt4Groups(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, int groupSize, ElementType scaleType, ReadOnlySpan<byte> packed,
        ReadOnlySpan<byte> scales, ReadOnlySpan<sbyte> zeroPoints, Span<float> y)
    {
        using Lease lease = new(this);
        lease.Session.MixedGemmGroups4(m, n, k, type, x, groupSize, scaleType, packed, scales, zeroPoints, y);
        return lease.Session.HasTensorCores ? BoundOnTensorCores : GemmBounds.ForFp32;
    }

    public override Func<int, double, double> MultiplyFp8(
        int m, int n, int k, ElementType type, ReadOnlySpan<byte> x, ReadOnlySpan<byte> codes, ReadOnlySpan<float> scales, Span<float> y)
    {
        using Lease lease = new(this);
        lease.Session.MixedGemmFp8(m, n, k, type, x, codes, scales, y);
        return lease.Session.HasTensorCores ? BoundOnTensorCores : GemmBounds.ForFp32;
    }

    public override void MultiplyInt8(
        Int8Activations x, int n, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> scb, Span<float> y)
    {
        using Lease lease = new(this);
        lease.Session.Int8Gemm(x, n, codes, scb, y);
    }

    public override bool QuantizeNested4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<byte> packed, Span<byte> codes,
        Span<float> nestedAbsmax, out float offset)
    {
        long blocks = codes.Length;
        if (!_sessions.All(session => session.FitsNested(blocks)))
        {
            return base.QuantizeNested4(code, type, blocksize, source, packed, codes, nestedAbsmax, out offset);
        }

        using Lease lease = new(this);
        return lease.Session.QuantizeNested4(code, type, blocksize, source, packed, codes, nestedAbsmax, out offset);
    }

    public override string? NoSearch => _sessions.FirstOrDefault(session => !session.HasFloat64) is { } lacking
        ? $"{lacking.Device.Id} has no float64"
        : null;

    // A block is one unit there, of nested scales 256 are; where the memory limit does not allow them the same bytes come from here.
    public override bool Search4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, ColumnImportance importance, Span<float> absmax, Span<byte> packed)
    {
        foreach (GpuSession session in _sessions)
        {
            if (!session.FitsSearch4(code, type, blocksize, nested: false, importance)) return base.Search4(code, type, blocksize, source, importance, absmax, packed);
        }

        using Lease lease = new(this);
        return lease.Session.SearchBlocks4(code, type, blocksize, source, importance, absmax, packed);
    }

    public override bool SearchNested4(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, ColumnImportance importance, Span<byte> nestedCodes,
        Span<float> nestedAbsmax, Span<byte> packed)
    {
        foreach (GpuSession session in _sessions)
        {
            if (session.FitsSearch4(code, type, blocksize, nested: true, importance)) continue;
            return base.SearchNested4(code, type, blocksize, source, importance, nestedCodes, nestedAbsmax, packed);
        }

        using Lease lease = new(this);
        return lease.Session.SearchNested4(code, type, blocksize, source, importance, nestedCodes, nestedAbsmax, packed);
    }

    public override bool SearchInt4Groups(
        ElementType type, ElementType scaleType, int groupSize, ReadOnlySpan<byte> source, ColumnImportance importance, Span<byte> scales,
        Span<byte> packed)
    {
        foreach (GpuSession session in _sessions)
        {
            if (session.FitsSearchRows(type, groupSize, importance)) continue;
            return base.SearchInt4Groups(type, scaleType, groupSize, source, importance, scales, packed);
        }

        using Lease lease = new(this);
        return lease.Session.SearchInt4Groups(type, scaleType, groupSize, source, importance, scales, packed);
    }

    public override bool SearchInt8Rows(
        ElementType type, int columns, ReadOnlySpan<byte> source, ColumnImportance importance, Span<float> scb, Span<sbyte> codes)
    {
        foreach (GpuSession session in _sessions)
        {
            if (!session.FitsSearchRows(type, columns, importance)) return base.SearchInt8Rows(type, columns, source, importance, scb, codes);
        }

        using Lease lease = new(this);
        return lease.Session.SearchInt8Rows(type, columns, source, importance, scb, codes);
    }

    public override void Dispose()
    {
        foreach (GpuSession session in _sessions) session.Dispose();
        base.Dispose();
    }

    // A single row takes another kernel, with the smaller bound of the two.
    private static double BoundOnTensorCores(int k, double magnitude) =>
        Math.Max(GpuProducts.TensorCoreBound(k, magnitude), GemmBounds.ForFp32(k, magnitude));

    /// <summary>The session with the fewest callers, for the length of one operation.</summary>
    private readonly ref struct Lease
    {
        private readonly GpuEngine _engine;
        private readonly int _index;

        public Lease(GpuEngine engine)
        {
            _engine = engine;
            lock (engine._lock)
            {
                _index = Array.IndexOf(engine._callers, engine._callers.Min());
                engine._callers[_index]++;
            }
        }

        public GpuSession Session => _engine._sessions[_index];

        public void Dispose()
        {
            lock (_engine._lock) _engine._callers[_index]--;
        }
    }
}
