using System.Runtime.InteropServices;

namespace Bnb.Engine.Comparing;

/// <summary>How codes lie in bytes.</summary>
internal enum CodeOrder
{
    /// <summary>Two to a byte, the first in the high nibble: nf4 and fp4.</summary>
    HighNibbleFirst,

    /// <summary>Two to a byte, the first in the low nibble: INT4.</summary>
    LowNibbleFirst,

    /// <summary>One to a byte: LLM.int8().</summary>
    Bytes,
}

/// <summary>
/// What was counted and summed over one piece of a pair. Pieces have a fixed size and are added up in order, so the sums do
/// not depend on chunks, which depend on memory, nor on threads.
/// </summary>
internal struct PieceStats
{
    /// <summary>Values per piece: the smallest chunk, and a multiple of every block size.</summary>
    public const int Values = 1 << 16;

    private double _squaredError;
    private double _squaredReference;
    private double _relativeAbsmax;

    public PieceStats()
    {
    }

    public long Differing { get; private set; }

    public long First { get; private set; } = -1;

    public long NonFinite { get; private set; }

    public long Finite { get; private set; }

    public double MaxAbs { get; private set; }

    public long Codes { get; private set; }

    public long FirstCode { get; private set; } = -1;

    public long Absmax { get; private set; }

    public long FirstAbsmax { get; private set; } = -1;

    public double MaxRelativeAbsmax { get; private set; }

    public readonly double Rmse => Finite == 0 ? 0 : Math.Sqrt(_squaredError / Finite);

    public readonly double? RelativeRmse =>
        _squaredError == 0 ? 0 : _squaredReference == 0 ? null : Math.Sqrt(_squaredError / _squaredReference);

    /// <summary>Sum over all blocks of the relative absmax differences.</summary>
    public readonly double RelativeAbsmax => _relativeAbsmax;

    /// <summary>Counts and measures values; equal bits are equal, whatever they mean.</summary>
    /// <param name="first">Flat index of the first value.</param>
    public void AddValues(ReadOnlySpan<float> a, ReadOnlySpan<float> b, long first)
    {
        b = b[..a.Length];
        for (int i = 0; i < a.Length; i++)
        {
            double reference = a[i];
            if (BitConverter.SingleToUInt32Bits(a[i]) == BitConverter.SingleToUInt32Bits(b[i]))
            {
                if (!double.IsFinite(reference)) continue;
                Finite++;
                _squaredReference += reference * reference;
                continue;
            }

            if (Differing++ == 0) First = first + i;
            double error = b[i] - reference;
            if (!double.IsFinite(error))
            {
                NonFinite++;
                continue;
            }

            Finite++;
            _squaredReference += reference * reference;
            _squaredError += error * error;
            MaxAbs = Math.Max(MaxAbs, Math.Abs(error));
        }
    }

    /// <summary>Counts elements that are not floats.</summary>
    /// <param name="size">Bytes per element.</param>
    public void AddElements(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int size, long first)
    {
        for (int offset = a.CommonPrefixLength(b) / size * size; offset < a.Length; offset += size)
        {
            if (a.Slice(offset, size).SequenceEqual(b.Slice(offset, size))) continue;
            if (Differing++ == 0) First = first + (offset / size);
        }
    }

    /// <summary>Counts codes; the padding nibble behind an odd number of values is none.</summary>
    /// <param name="count">Values.</param>
    public void AddCodes(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int count, long first, CodeOrder order)
    {
        if (order == CodeOrder.Bytes)
        {
            AddByteCodes(a, b, first);
            return;
        }

        for (int i = a.CommonPrefixLength(b); i < a.Length; i++)
        {
            int changed = a[i] ^ b[i];
            if (order == CodeOrder.LowNibbleFirst) changed = (changed >> 4) | ((changed & 0xF) << 4);
            if ((2 * i) + 1 == count) changed &= 0xF0;
            if (changed == 0) continue;
            int high = changed >> 4 == 0 ? 0 : 1, low = (changed & 0xF) == 0 ? 0 : 1;
            if (Codes == 0) FirstCode = first + (2 * i) + (1 - high);
            Codes += high + low;
        }
    }

    private void AddByteCodes(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, long first)
    {
        for (int i = a.CommonPrefixLength(b); i < a.Length; i++)
        {
            if (a[i] == b[i]) continue;
            if (Codes++ == 0) FirstCode = first + i;
        }
    }

    /// <summary>Counts and measures absmax values or other scales.</summary>
    /// <param name="firstBlock">Index of the first block.</param>
    public void AddScales(ReadOnlySpan<float> a, ReadOnlySpan<float> b, long firstBlock)
    {
        int start = MemoryMarshal.AsBytes(a).CommonPrefixLength(MemoryMarshal.AsBytes(b)) / sizeof(float);
        for (int i = start; i < a.Length; i++)
        {
            if (BitConverter.SingleToUInt32Bits(a[i]) == BitConverter.SingleToUInt32Bits(b[i])) continue;
            if (Absmax++ == 0) FirstAbsmax = firstBlock + i;
            double larger = Math.Max(Math.Abs((double)a[i]), Math.Abs((double)b[i]));
            double relative = Math.Abs((double)a[i] - b[i]) / larger;
            // The two zeros, and NaN or infinity on one side: a difference without a size.
            if (!double.IsFinite(relative)) continue;
            _relativeAbsmax += relative;
            MaxRelativeAbsmax = Math.Max(MaxRelativeAbsmax, relative);
        }
    }

    /// <summary>Adds the piece that follows.</summary>
    public void Add(in PieceStats next)
    {
        if (First < 0) First = next.First;
        if (FirstCode < 0) FirstCode = next.FirstCode;
        if (FirstAbsmax < 0) FirstAbsmax = next.FirstAbsmax;
        Differing += next.Differing;
        NonFinite += next.NonFinite;
        Finite += next.Finite;
        Codes += next.Codes;
        Absmax += next.Absmax;
        MaxAbs = Math.Max(MaxAbs, next.MaxAbs);
        MaxRelativeAbsmax = Math.Max(MaxRelativeAbsmax, next.MaxRelativeAbsmax);
        _squaredError += next._squaredError;
        _squaredReference += next._squaredReference;
        _relativeAbsmax += next._relativeAbsmax;
    }
}
