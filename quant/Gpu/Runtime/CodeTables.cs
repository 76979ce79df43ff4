using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>The tables of a 4-bit code on a device. Those of nf4 are computed there, from quantiles to buckets, where it has
/// float64; fp4 is a list of fractions and rounded decimals by definition, and is copied. The bits are the same.</summary>
internal sealed class CodeTables : IDisposable
{
    private const int Nf4Bits = 4;

    private readonly MemoryBuffer1D<long, Stride1D.Dense> _buckets;
    private readonly MemoryBuffer1D<float, Stride1D.Dense> _thresholds, _values;

    /// <exception cref="GpuException">There are no kernels for the code.</exception>
    public CodeTables(Accelerator accelerator, KernelCache kernels, Code4 code, bool hasFloat64)
    {
        GpuCode table = GpuCode.Of(code);
        _buckets = accelerator.Allocate1D(table.Buckets);
        _thresholds = accelerator.Allocate1D(table.Thresholds);
        _values = accelerator.Allocate1D(table.Values);
        if (code == Code4Catalog.Nf4 && hasFloat64) Derive(accelerator, kernels);
        accelerator.Synchronize();
    }

    private delegate void ValuesLauncher(AcceleratorStream stream, KernelConfig config, ArrayView<float> values, int bits, float offset);

    private delegate void BucketsLauncher(
        AcceleratorStream stream, KernelConfig config, ArrayView<float> values, ArrayView<float> thresholds, ArrayView<long> buckets);

    /// <summary>32 buckets, see <see cref="BucketTable{TCode}"/>.</summary>
    public ArrayView<long> Buckets => _buckets.View;

    /// <summary>Ascending.</summary>
    public ArrayView<float> Thresholds => _thresholds.View;

    /// <summary>The 16 values.</summary>
    public ArrayView<float> Values => _values.View;

    /// <summary>Starts the kernel of an NF-k table on the default stream.</summary>
    /// <param name="values">2^bits, written.</param>
    /// <param name="bits">From 2 to 8.</param>
    public static void StartValues(Accelerator accelerator, KernelCache kernels, ArrayView<float> values, int bits) =>
        kernels.Get<ValuesLauncher>(typeof(NormalFloatKernel))(
            accelerator.DefaultStream,
            (((1 << bits) + BucketKernel.Buckets - 1) / BucketKernel.Buckets, BucketKernel.Buckets),
            values,
            bits,
            NormalFloat.Offset(bits));

    public void Dispose() => Closing.AttemptAll([_buckets.Dispose, _thresholds.Dispose, _values.Dispose]);

    private void Derive(Accelerator accelerator, KernelCache kernels)
    {
        // Nothing of the host's is left, so that what is used is what the device made.
        _buckets.MemSetToZero();
        _thresholds.MemSetToZero();
        _values.MemSetToZero();
        StartValues(accelerator, kernels, Values, Nf4Bits);
        kernels.Get<BucketsLauncher>(typeof(BucketKernel))(
            accelerator.DefaultStream, (1, BucketKernel.Buckets), Values, Thresholds, Buckets);
    }
}
