using System.Runtime.InteropServices;
using Bnb.Engine.Devices;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.DataTypes;

/// <summary>LLM.int8(): value = code * SCB of its row / 127, rounded to the output type. A range may cut its rows anywhere.</summary>
internal sealed class Int8Decoder(Int8Weight weight, TensorSource source, ComputeEngine engine) : WeightDecoder
{
    public override void Load(long first, int count, WorkerBuffers buffers)
    {
        if (count == 0) return;
        source.ReadBytes(weight.Codes, first, buffers.Codes.AsSpan(0, count));
        long row = first / weight.Columns;
        int rows = (int)(((first + count - 1) / weight.Columns) - row + 1);
        source.ReadBytes(weight.Scb, row * sizeof(float), MemoryMarshal.AsBytes(buffers.Scales.AsSpan(0, rows)));
    }

    public override void Decode(long first, int count, ElementType type, Span<byte> destination, WorkerBuffers buffers)
    {
        ReadOnlySpan<sbyte> codes = MemoryMarshal.Cast<byte, sbyte>(buffers.Codes.AsSpan(0, count));
        for (int done = 0, row = 0; done < count;)
        {
            long column = (first + done) % weight.Columns;
            int whole = column == 0 ? (int)((count - done) / weight.Columns) : 0;
            int width = whole > 0 ? (int)weight.Columns : (int)Math.Min(count - done, weight.Columns - column);
            int rows = Math.Max(1, whole), length = rows * width;
            engine.DequantizeInt8Rows(
                width, codes.Slice(done, length), buffers.Scales.AsSpan(row, rows), type,
                destination.Slice(done * type.Size(), length * type.Size()));
            done += length;
            row += rows;
        }
    }
}
