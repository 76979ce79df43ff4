using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="DequantizeGroups4"/> on a device: the same bytes. A group must fit a chunk.</summary>
internal readonly unsafe ref struct DequantizeGroups4Operation : IOperation
{
    private readonly ElementType _scaleType, _type;
    private readonly int _groupSize, _groups;
    private readonly ReadOnlySpan<byte> _packed, _scales;
    private readonly ReadOnlySpan<sbyte> _zeroPoints;
    private readonly Span<byte> _destination;

    public DequantizeGroups4Operation(
        ElementType scaleType,
        int groupSize,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<byte> scales,
        ReadOnlySpan<sbyte> zeroPoints,
        ElementType type,
        Span<byte> destination)
    {
        PackedGroups4.CheckGroupSize(groupSize);
        int count = Operands.WholeValues(type, destination.Length, nameof(destination));
        if (count % groupSize != 0) throw new ArgumentException($"{count} values are not whole groups of {groupSize}", nameof(destination));
        _groups = count / groupSize;
        BlockGrid.CheckLength(nameof(packed), count / 2, packed.Length);
        BlockGrid.CheckLength(nameof(scales), (long)_groups * scaleType.Size(), scales.Length);
        if (!zeroPoints.IsEmpty) BlockGrid.CheckLength(nameof(zeroPoints), _groups, zeroPoints.Length);
        (_scaleType, _type, _groupSize) = (scaleType, type, groupSize);
        _packed = packed;
        _scales = scales;
        _zeroPoints = zeroPoints;
        _destination = destination;
    }

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<int> packed,
        ArrayView<byte> scales,
        ArrayView<byte> zeroPoints,
        ArrayView<Quad> destination,
        int units,
        int unitsPerGroup,
        int hasZeroPoints);

    public void Run(Workbench bench)
    {
        if (_groups == 0) return;
        int size = _type.Size(), scaleSize = _scaleType.Size(), groupSize = _groupSize, group = bench.UsualGroup;
        double groupBytes = groupSize * (size + 0.5) + scaleSize + 1;
        long step = Math.Min(Math.Min(bench.LargestChunk / groupSize, (long)(bench.RowMemory / groupBytes)), _groups), groups = _groups;
        if (step == 0)
        {
            throw new GpuException(
                $"{bench.Device.Id}: a group of {groupSize} values exceeds a chunk or the memory limit of {bench.MaxDeviceMemoryBytes} bytes");
        }

        var kernel = bench.Kernels.Get<Launcher>(typeof(DequantizeGroups4Kernel), KernelTypes.Of(_scaleType), KernelTypes.Of(_type));
        int hasZeroPoints = _zeroPoints.IsEmpty ? 0 : 1;
        fixed (byte* values = _destination, scales = _scales, codes = _packed)
        fixed (sbyte* zeros = _zeroPoints)
        {
            var lanes = new Lanes
            {
                In = new Lane(codes, _packed.Length, step * groupSize / 2),
                InScales = new Lane(scales, _scales.Length, step * scaleSize),
                InZeros = hasZeroPoints == 0 ? Lane.None : new Lane(zeros, _zeroPoints.Length, step),
                Out = new Lane(values, _destination.Length, step * groupSize * size),
            };
            bench.Pipeline.Run((groups + step - 1) / step, lanes, (slot, chunk) =>
            {
                int units = (int)(Math.Min(step, groups - chunk * step) * groupSize / DequantizeGroups4Kernel.Unit);
                kernel(
                    slot.Stream,
                    (Workbench.Groups(units, group), group),
                    slot.In.View.Cast<int>(),
                    slot.InScales.View,
                    // OpenCL wants a buffer even where nothing is read.
                    hasZeroPoints == 0 ? slot.InScales.View : slot.InZeros.View,
                    slot.Out.View.Cast<Quad>(),
                    units,
                    groupSize / DequantizeGroups4Kernel.Unit,
                    hasZeroPoints);
            });
        }
    }
}
