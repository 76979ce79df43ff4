using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Operations;

/// <summary><see cref="AbsmaxMean.Of(ReadOnlySpan{float})"/>: the partial sums come from the device where it has float64, and
/// from the CPU where not; the same bits.</summary>
internal unsafe ref struct MeanOperation(ReadOnlySpan<float> absmax) : IOperation
{
    private readonly ReadOnlySpan<float> _absmax = absmax;

    private delegate void Launcher(
        AcceleratorStream stream,
        KernelConfig config,
        ArrayView<float> absmax,
        ArrayView<double> sums,
        int count);

    /// <summary>The mean.</summary>
    public float Mean { get; private set; }

    public void Run(Workbench bench)
    {
        var sums = new double[BlockGrid.BlockCount(_absmax.Length, NestedAbsmax.Blocksize)];
        if (!bench.HasFloat64) AbsmaxMean.BlockSums(_absmax, sums);
        else if (sums.Length > 0) RunSums(bench, sums);
        Mean = AbsmaxMean.Of(sums, _absmax.Length);
    }

    private readonly void RunSums(Workbench bench, double[] sums)
    {
        long count = _absmax.Length, step = ChunkPipeline.Step(bench, 4 + 1 + 4.0 / NestedAbsmax.Blocksize, count);
        var kernel = bench.Kernels.Get<Launcher>(typeof(BlockSumsKernel));
        int group = Math.Min(bench.UsualGroup, 64);
        fixed (float* values = _absmax)
        fixed (double* partial = sums)
        {
            bench.Pipeline.Run(
                (count + step - 1) / step,
                new Lane(values, count * 4, step * 4),
                Lane.None,
                new Lane(partial, sums.Length * 8L, step / NestedAbsmax.Blocksize * 8),
                Lane.None,
                (slot, chunk) =>
                {
                    int part = (int)Math.Min(step, count - chunk * step);
                    kernel(
                        slot.Stream,
                        (Workbench.Groups(BlockGrid.BlockCount(part, NestedAbsmax.Blocksize), group), group),
                        slot.In.View.Cast<float>(),
                        slot.Out.View.Cast<double>(),
                        part);
                });
        }
    }
}
