using System.Runtime.InteropServices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// FP8, MXFP4 and NVFP4: value = code * scale of its block. A range may cut its rows anywhere; the scales of each row in it
/// follow each other in the buffer, repeated where rows share them.
/// </summary>
internal sealed class ScaledFloatDecoder : WeightDecoder
{
    private readonly ScaledFloatWeight _weight;
    private readonly TensorSource _source;
    private readonly KernelPath _path;
    private readonly ScaledCode _code;
    private readonly ScaleCode _scaleCode;
    private readonly ElementType _through;
    private readonly float _global;

    public ScaledFloatDecoder(ScaledFloatWeight weight, TensorSource source, KernelPath path)
    {
        (_weight, _source, _path) = (weight, source, path);
        bool isWide = weight.Form == ScaleForm.WideExponent;
        _code = !weight.IsFourBit ? ScaledCode.E4M3 : isWide ? ScaledCode.TwiceE2M1 : ScaledCode.E2M1;
        _scaleCode = ScaleCodeOf(weight);
        _through = weight.OwnDType is { } own ? FloatTypes.Of(own) ?? ElementType.F32 : ElementType.F32;
        if (weight.GlobalScale is not { } global) return;
        Span<float> one = stackalloc float[1];
        source.ReadBytes(global, 0, MemoryMarshal.AsBytes(one));
        _global = one[0];
    }

    /// <summary>The fewest values of a row that share a scale, on average.</summary>
    public static long ValuesPerScale(ScaledFloatWeight weight) => Math.Max(1, weight.Columns / Math.Max(1, weight.GridColumns));

    public override void Load(long first, int count, WorkerBuffers buffers)
    {
        if (count == 0) return;
        if (_weight.IsFourBit)
        {
            // The value buffer is free until something is decoded into it.
            Span<byte> packed = buffers.Raw.AsSpan(0, (count + 1) / 2);
            _source.ReadBytes(_weight.Codes, first / 2, packed);
            Span<byte> codes = buffers.Codes.AsSpan(0, packed.Length * 2);
            UnpackCodes.LowFirst4(packed, codes);
            if (_weight.Form == ScaleForm.TimesGlobal) UnpackCodes.DropNegativeZeros(codes);
        }
        else
        {
            _source.ReadBytes(_weight.Codes, first, buffers.Codes.AsSpan(0, count));
        }

        if (_weight.BlockRows == 1) ReadNeighbours(first, count, buffers);
        else ReadRows(first, count, buffers);
    }

    public override void Decode(long first, int count, ElementType type, Span<byte> destination, WorkerBuffers buffers)
    {
        int size = type.Size(), width = (int)Math.Min(_weight.BlockColumns, int.MaxValue), scale = 0;
        for (int done = 0; done < count;)
        {
            long column = (first + done) % _weight.Columns;
            int length = (int)Math.Min(count - done, _weight.Columns - column), phase = (int)(column % _weight.BlockColumns);
            int scales = ScalesOf(column, length);
            DecodeCodes.Row(
                _code,
                buffers.Codes.AsSpan(done, length),
                buffers.Scales.AsSpan(scale, scales),
                [],
                phase,
                width,
                _through,
                type,
                destination.Slice(done * size, length * size),
                _path);
            done += length;
            scale += scales;
        }
    }

    private static ScaleCode ScaleCodeOf(ScaledFloatWeight weight) => weight.Form switch
    {
        ScaleForm.Exponent => ScaleCode.Exponent,
        ScaleForm.WideExponent => ScaleCode.HalfExponent,
        ScaleForm.OverGlobal or ScaleForm.TimesGlobal => ScaleCode.E4M3,
        _ => weight.Scale.DType switch
        {
            DType.F16 => ScaleCode.F16,
            DType.BF16 => ScaleCode.BF16,
            DType.F8E8M0 => ScaleCode.E8M0,
            _ => ScaleCode.F32,
        },
    };

    /// <summary>Scales that a piece of a row has to do with.</summary>
    private int ScalesOf(long column, int length) =>
        (int)(((column + length - 1) / _weight.BlockColumns) - (column / _weight.BlockColumns)) + 1;

    /// <summary>Where every row has scales of its own, those of a range follow each other in the file as well.</summary>
    private void ReadNeighbours(long first, int count, WorkerBuffers buffers)
    {
        long last = first + count - 1;
        long from = ScaleAt(first / _weight.Columns, first % _weight.Columns), to = ScaleAt(last / _weight.Columns, last % _weight.Columns);
        ReadScales(from, buffers.Scales.AsSpan(0, (int)(to - from + 1)));
    }

    private void ReadRows(long first, int count, WorkerBuffers buffers)
    {
        (long From, int At, int Count) held = (-1, 0, 0);
        for (int done = 0, scale = 0; done < count;)
        {
            long row = (first + done) / _weight.Columns, column = (first + done) % _weight.Columns;
            int length = (int)Math.Min(count - done, _weight.Columns - column), scales = ScalesOf(column, length);
            long from = ScaleAt(row, column);
            Span<float> own = buffers.Scales.AsSpan(scale, scales);
            if (from == held.From && scales <= held.Count) buffers.Scales.AsSpan(held.At, scales).CopyTo(own);
            else ReadScales(from, own);
            held = (from, scale, scales);
            done += length;
            scale += scales;
        }
    }

    private long ScaleAt(long row, long column)
    {
        long gridRow = (row / _weight.MatrixRows * _weight.GridRows) + (row % _weight.MatrixRows / _weight.BlockRows);
        return (gridRow * _weight.GridColumns) + (column / _weight.BlockColumns);
    }

    private void ReadScales(long from, Span<float> scales)
    {
        const int Piece = 4096;
        int size = _scaleCode.Size();
        Span<byte> stored = stackalloc byte[Piece];
        for (int done = 0; done < scales.Length;)
        {
            Span<float> some = scales.Slice(done, Math.Min(Piece / size, scales.Length - done));
            Span<byte> bytes = stored[..(some.Length * size)];
            _source.ReadBytes(_weight.Scale, (from + done) * size, bytes);
            DecodeScales.ToSingle(_scaleCode, bytes, some);
            done += some.Length;
        }

        if (_weight.Form == ScaleForm.OverGlobal) DecodeScales.Divide(scales, _global);
        else if (_weight.Form == ScaleForm.TimesGlobal) DecodeScales.Multiply(scales, _global);
    }
}
