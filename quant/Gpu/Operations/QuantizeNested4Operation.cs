using System.Runtime.InteropServices;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using ILGPU;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>
/// 4-bit quantization of a whole tensor with double quantization on a device: codes, absmax, the mean of absmax, and their
/// 8-bit codes, of which absmax never leave it. A tensor of one chunk is one copy in, four kernels in a row in one
/// stream, and one copy out; the host waits once, at the end. The same bytes as <see cref="Quantize4"/>,
/// <see cref="AbsmaxMean"/> and <see cref="NestedAbsmax"/>.
/// </summary>
internal unsafe ref struct QuantizeNested4Operation : IOperation
{
    private const long SmallestChunkMemory = 4 << 20;

    private readonly Code4 _code;
    private readonly ElementType _type;
    private readonly int _blocksize, _count, _blocks;
    private readonly ReadOnlySpan<byte> _source;
    private readonly Span<byte> _packed, _codes;
    private readonly Span<float> _nestedAbsmax;

    public QuantizeNested4Operation(
        Code4 code,
        ElementType type,
        int blocksize,
        ReadOnlySpan<byte> source,
        Span<byte> packed,
        Span<byte> codes,
        Span<float> nestedAbsmax)
    {
        ArgumentNullException.ThrowIfNull(code);
        _count = Operands.WholeValues(type, source.Length, nameof(source));
        Operands.CheckBlocks4(_count, blocksize, packed.Length, codes.Length);
        Operands.CheckBlocks8(codes.Length, NestedAbsmax.Blocksize, codes.Length, nestedAbsmax.Length);
        _code = code;
        _type = type;
        _blocksize = blocksize;
        _blocks = codes.Length;
        _source = source;
        _packed = packed;
        _codes = codes;
        _nestedAbsmax = nestedAbsmax;
    }

    /// <summary>Whether all values are finite.</summary>
    public bool AllFinite { get; private set; } = true;

    /// <summary>The mean of absmax, which was subtracted.</summary>
    public float Offset { get; private set; }

    /// <summary>Device memory for so many blocks, besides the chunks.</summary>
    private static long MemoryFor(long blocks) => Places(blocks, 0).Bytes + 4 * (blocks + NestedLaunch.PartialWords(blocks)) + 4 * Port.Padding;

    /// <summary>Whether so many blocks and a chunk fit.</summary>
    public static bool Fits(Workbench bench, long blocks) =>
        blocks <= int.MaxValue / 8 && MemoryFor(blocks) + SmallestChunkMemory <= bench.MaxDeviceMemoryBytes;

    public void Run(Workbench bench)
    {
        if (_count == 0) return;
        if (!Fits(bench, _blocks))
        {
            throw new GpuException(
                $"{bench.Device.Id}: {_blocks} absmax need {MemoryFor(_blocks)} bytes on the device beside the chunks, the limit is {bench.MaxDeviceMemoryBytes}");
        }

        int size = _type.Size(), blocksize = _blocksize, count = _count;
        long chunkMemory = bench.MaxDeviceMemoryBytes - MemoryFor(_blocks);
        long step = ChunkPipeline.Step(bench, chunkMemory, size + 0.5, count);
        using var absmax = bench.Accelerator.Allocate1D<float>(_blocks + Port.Padding);
        using var partial = bench.Accelerator.Allocate1D<int>(NestedLaunch.PartialWords(_blocks));
        ArrayView<float> scales = absmax.View.BaseView;
        var kernel = Quantize4Operation.Kernel(bench, _code, _type, blocksize);
        ChunkSlot slot = bench.Pipeline.First;
        bench.NonFinite.Clear();
        if (step >= count)
        {
            Layout all = Places(_blocks, _packed.Length);
            slot.In.Reserve(_source.Length);
            slot.Out.Reserve(all.Bytes);
            slot.In.Send(slot.Stream, _source);
            kernel(slot.Stream, slot.In.View, slot.Out.View, scales, count);
            StartNested(bench, slot, scales, partial.View, all);
            Finish(slot, all);
        }
        else
        {
            fixed (byte* values = _source, codes = _packed)
            {
                bench.Pipeline.Run(
                    (count + step - 1) / step,
                    new Lane(values, _source.Length, step * size),
                    Lane.None,
                    new Lane(codes, _packed.Length, step / 2),
                    Lane.None,
                    (turn, chunk) => kernel(
                        turn.Stream,
                        turn.In.View,
                        turn.Out.View,
                        scales.SubView(chunk * step / blocksize),
                        Math.Min(step, count - chunk * step)));
            }

            Layout nested = Places(_blocks, 0);
            slot.Out.Reserve(nested.Bytes);
            StartNested(bench, slot, scales, partial.View, nested);
            Finish(slot, nested);
        }

        AllFinite = !bench.NonFinite.IsSet;
    }

    private readonly void StartNested(Workbench bench, ChunkSlot slot, ArrayView<float> absmax, ArrayView<int> partial, Layout places)
    {
        ArrayView<float> offset = slot.Out.View.SubView(places.Offset, Port.Padding).Cast<float>();
        ArrayView<byte> codes = slot.Out.View.SubView(places.Codes, _blocks);
        ArrayView<float> nested = slot.Out.View.SubView(places.Nested, 4L * _nestedAbsmax.Length).Cast<float>();
        NestedLaunch.Mean(bench, slot.Stream, absmax, _blocks, partial, offset);
        NestedLaunch.Quantize(bench, slot.Stream, absmax, offset, NestedAbsmax.Blocksize, codes, nested, _blocks);
    }

    private void Finish(ChunkSlot slot, Layout places)
    {
        slot.Out.Fetch(slot.Stream, (int)places.Bytes);
        slot.Stream.Synchronize();
        if (places.Offset > 0) slot.Out.Take(_packed);
        Span<byte> offset = stackalloc byte[4];
        slot.Out.Take(places.Offset, offset);
        slot.Out.Take(places.Codes, _codes);
        slot.Out.Take(places.Nested, MemoryMarshal.AsBytes(_nestedAbsmax));
        Offset = MemoryMarshal.Read<float>(offset);
    }

    /// <summary>Where the results lie in the buffer that is copied out: packed codes, if they are in it, come first.</summary>
    private static Layout Places(long blocks, long packed)
    {
        long offset = Port.RoundUp(packed), codes = offset + Port.Padding, nested = codes + Port.RoundUp(blocks);
        return new Layout(offset, codes, nested, nested + Port.RoundUp(4 * BlockGrid.BlockCount(blocks, NestedAbsmax.Blocksize)));
    }

    private readonly record struct Layout(long Offset, long Codes, long Nested, long Bytes);
}
