using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="QuantizeGroups4.Run"/> on a device: the same bytes.</summary>
internal unsafe ref struct QuantizeGroups4Operation : IOperation
{
    private readonly ElementType _type;
    private readonly int _groupSize;
    private readonly bool _symmetric;
    private readonly ReadOnlySpan<byte> _source;
    private readonly Span<byte> _scales, _packed;
    private readonly Span<sbyte> _zeroPoints;

    public QuantizeGroups4Operation(
        ElementType type,
        int groupSize,
        bool symmetric,
        ReadOnlySpan<byte> source,
        Span<byte> scales,
        Span<sbyte> zeroPoints,
        Span<byte> packed)
    {
        if (!QuantizeGroups4.IsGroupSize(groupSize))
        {
            throw new ArgumentOutOfRangeException(nameof(groupSize), groupSize, "must be 32, 64 or 128");
        }

        int count = Operands.WholeValues(type, source.Length, nameof(source));
        if (count % groupSize != 0) throw new ArgumentException($"{count} values are not whole groups of {groupSize}", nameof(source));
        int groups = count / groupSize;
        BlockGrid.CheckLength(nameof(scales), (long)groups * type.Size(), scales.Length);
        BlockGrid.CheckLength(nameof(zeroPoints), symmetric ? 0 : groups, zeroPoints.Length);
        BlockGrid.CheckLength(nameof(packed), (long)groups * (groupSize / 2), packed.Length);
        (_type, _groupSize, _symmetric) = (type, groupSize, symmetric);
        _source = source;
        _scales = scales;
        _zeroPoints = zeroPoints;
        _packed = packed;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<Quad> source,
        ArrayView<int> packed,
        ArrayView<byte> scales,
        ArrayView<byte> zeroPoints,
        ArrayView<int> nonFinite,
        int units,
        int team,
        int symmetric,
        float divisor);

    /// <summary>Whether all values are finite.</summary>
    public bool AllFinite { get; private set; } = true;

    public void Run(Workbench bench)
    {
        if (_source.IsEmpty) return;
        int size = _type.Size(), groupSize = _groupSize, symmetric = _symmetric ? 1 : 0;
        long count = _source.Length / size, step = ChunkPipeline.Step(bench, size + 0.5 + (size + 1.0) / groupSize, count);
        var kernel = bench.Kernels.Get<Launcher>(
            typeof(QuantizeGroups4Kernel), KernelTypes.Of(_type), bench.HasShuffles ? typeof(ShuffleMax) : typeof(SharedMax));
        int team = groupSize / QuantizeGroups4Kernel.Unit, group = Math.Min(bench.UsualGroup, QuantizeGroups4Kernel.LargestGroup);
        bench.NonFinite.Clear();
        fixed (byte* values = _source, scales = _scales, codes = _packed)
        fixed (sbyte* zeros = _zeroPoints)
        {
            var lanes = new Lanes
            {
                In = new Lane(values, _source.Length, step * size),
                Out = new Lane(codes, _packed.Length, step / 2),
                OutScales = new Lane(scales, _scales.Length, step / groupSize * size),
                OutZeros = _symmetric ? Lane.None : new Lane(zeros, _zeroPoints.Length, step / groupSize),
            };
            bench.Pipeline.Run((count + step - 1) / step, lanes, (slot, chunk) =>
            {
                int units = (int)(Math.Min(step, count - chunk * step) / QuantizeGroups4Kernel.Unit);
                kernel(
                    slot.Stream,
                    (Workbench.Groups(units, group), group),
                    slot.In.View.Cast<Quad>(),
                    slot.Out.View.Cast<int>(),
                    slot.OutScales.View,
                    // OpenCL wants a buffer even where nothing is written.
                    symmetric != 0 ? slot.OutScales.View : slot.OutZeros.View,
                    bench.NonFinite.View,
                    units,
                    team,
                    symmetric,
                    symmetric != 0 ? 7.5f : 15f);
            });
        }

        AllFinite = !bench.NonFinite.IsSet;
    }
}
