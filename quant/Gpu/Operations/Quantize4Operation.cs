using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="Quantize4.Run"/> on a device: the same bytes.</summary>
internal unsafe ref struct Quantize4Operation : IOperation
{
    private readonly Code4 _code;
    private readonly ElementType _type;
    private readonly int _blocksize;
    private readonly ReadOnlySpan<byte> _source;
    private readonly Span<float> _absmax;
    private readonly Span<byte> _packed;

    public Quantize4Operation(
        Code4 code, ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
    {
        ArgumentNullException.ThrowIfNull(code);
        Operands.CheckBlocks4(Operands.WholeValues(type, source.Length, nameof(source)), blocksize, packed.Length, absmax.Length);
        _code = code;
        _type = type;
        _blocksize = blocksize;
        _source = source;
        _absmax = absmax;
        _packed = packed;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<Quad> source,
        ArrayView<Quad> packed,
        ArrayView<float> absmax,
        ArrayView<int> nonFinite,
        ArrayView<long> buckets,
        ArrayView<float> thresholds,
        int units,
        SpecializedValue<int> team);

    /// <summary>Whether all values are finite.</summary>
    public bool AllFinite { get; private set; } = true;

    public void Run(Workbench bench)
    {
        if (_source.IsEmpty) return;
        int size = _type.Size(), blocksize = _blocksize;
        long count = _source.Length / size, step = ChunkPipeline.Step(bench, size + 0.5 + 4.0 / blocksize, count);
        Action<AcceleratorStream, ArrayView<byte>, ArrayView<byte>, ArrayView<float>, long> kernel = Kernel(bench, _code, _type, blocksize);
        bench.NonFinite.Clear();
        fixed (byte* values = _source, codes = _packed)
        fixed (float* scales = _absmax)
        {
            bench.Pipeline.Run(
                (count + step - 1) / step,
                new Lane(values, _source.Length, step * size),
                Lane.None,
                new Lane(codes, _packed.Length, step / 2),
                new Lane(scales, _absmax.Length * 4L, step / blocksize * 4),
                (slot, chunk) => kernel(
                    slot.Stream, slot.In.View, slot.Out.View, slot.OutScales.View.Cast<float>(), Math.Min(step, count - chunk * step)));
        }

        AllFinite = !bench.NonFinite.IsSet;
    }

    /// <summary>The kernel on a device: source, packed, absmax and the number of values, all padded to units.</summary>
    public static Action<AcceleratorStream, ArrayView<byte>, ArrayView<byte>, ArrayView<float>, long> Kernel(
        Workbench bench, Code4 code, ElementType type, int blocksize)
    {
        var launch = bench.Kernels.Get<Launcher>(
            typeof(Quantize4Kernel), KernelTypes.Of(type), KernelTypes.Of(code), bench.HasShuffles ? typeof(ShuffleMax) : typeof(SharedMax));
        CodeTables tables = bench.TablesOf(code);
        int team = blocksize / Quantize4Kernel.Unit, group = Math.Max(bench.UsualGroup, team);
        return (stream, source, packed, absmax, count) =>
        {
            int units = Workbench.Groups(count, Quantize4Kernel.Unit);
            launch(
                stream,
                (Workbench.Groups(units, group), group),
                source.Cast<Quad>(),
                packed.Cast<Quad>(),
                absmax,
                bench.NonFinite.View,
                tables.Buckets,
                tables.Thresholds,
                units,
                SpecializedValue.New(team));
        };
    }
}
