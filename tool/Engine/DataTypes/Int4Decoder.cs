using System.Runtime.InteropServices;
using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.CompressedTensors;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// INT4 of compressed-tensors: value = (code - zero point) * scale of its group, in the scale's type. A range may cut its
/// first and last group, since groups of other tools need not divide a unit of work.
/// </summary>
internal sealed class Int4Decoder(Int4Weight weight, TensorSource source, ComputeEngine engine) : WeightDecoder
{
    private const int PerWord = Int4Quantization.PerWord;

    private readonly ElementType _scaleType = FloatTypes.Of(weight.Scale.DType) ?? ElementType.F32;
    private readonly long _groupsPerRow = weight.GroupCount;

    public override void Load(long first, int count, WorkerBuffers buffers)
    {
        if (count == 0) return;
        source.ReadBytes(weight.Packed, first / 2, buffers.Codes.AsSpan(0, count / 2));
        long group = first / weight.GroupSize;
        int groups = (int)(((first + count - 1) / weight.GroupSize) - group + 1), size = _scaleType.Size();
        source.ReadBytes(weight.Scale, group * size, MemoryMarshal.AsBytes(buffers.Scales.AsSpan())[..(groups * size)]);
        if (!weight.IsSymmetric) ReadZeroPoints(group, buffers.ZeroPoints.AsSpan(0, groups));
    }

    public override void Decode(long first, int count, ElementType type, Span<byte> destination, WorkerBuffers buffers)
    {
        for (int done = 0, group = 0; done < count;)
        {
            long phase = (first + done) % weight.GroupSize;
            int whole = phase == 0 ? (int)((count - done) / weight.GroupSize) : 0;
            int width = whole > 0 ? (int)weight.GroupSize : (int)Math.Min(count - done, weight.GroupSize - phase);
            int groups = Math.Max(1, whole), length = groups * width, size = _scaleType.Size();
            engine.DequantizeInt4Groups(
                _scaleType,
                width,
                buffers.Codes.AsSpan(done / 2, length / 2),
                MemoryMarshal.AsBytes(buffers.Scales.AsSpan()).Slice(group * size, groups * size),
                weight.IsSymmetric ? [] : buffers.ZeroPoints.AsSpan(group, groups),
                type,
                destination.Slice(done * type.Size(), length * type.Size()));
            done += length;
            group += groups;
        }
    }

    public override ReadOnlySpan<float> Scales(int count, WorkerBuffers buffers)
    {
        if (_scaleType == ElementType.F32) return buffers.Scales.AsSpan(0, count);
        var scales = new float[count];
        Widen.ToSingle(_scaleType, MemoryMarshal.AsBytes(buffers.Scales.AsSpan())[..(count * _scaleType.Size())], scales);
        return scales;
    }

    /// <summary>Zero points of 8 rows share their words, so each word is read once for all of its rows in the range.</summary>
    private void ReadZeroPoints(long group, Span<sbyte> zeroPoints)
    {
        int[] words = [];
        (long stripe, long from, long to) held = (-1, 0, 0);
        Span<sbyte> unpacked = new sbyte[PerWord];
        for (int done = 0; done < zeroPoints.Length;)
        {
            long row = (group + done) / _groupsPerRow, column = (group + done) % _groupsPerRow;
            int run = (int)Math.Min(zeroPoints.Length - done, _groupsPerRow - column);
            if (held.stripe != row / PerWord || column < held.from || column + run > held.to)
            {
                // Where rows are short, the rest of the stripe's rows in the range begin at column 0; a long one has its own words.
                bool isAlone = done + run == zeroPoints.Length || _groupsPerRow > zeroPoints.Length;
                long from = isAlone ? column : 0;
                int length = (int)(isAlone ? run : _groupsPerRow);
                words = new int[length];
                source.ReadBytes(weight.ZeroPoint!, ((row / PerWord * _groupsPerRow) + from) * sizeof(int), MemoryMarshal.AsBytes(words.AsSpan()));
                held = (row / PerWord, from, from + length);
            }

            for (int i = 0; i < run; i++)
            {
                ZeroPoints4.Unpack(PerWord, 1, words.AsSpan((int)(column - held.from) + i, 1), unpacked);
                zeroPoints[done + i] = unpacked[(int)(row % PerWord)];
            }

            done += run;
        }
    }
}
