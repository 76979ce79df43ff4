using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu;

/// <summary>A session on an ILGPU accelerator. The operations are in the other parts, by kind.</summary>
internal sealed partial class IlgpuSession : GpuSession
{
    private readonly Context _context;
    private readonly Accelerator _accelerator;
    private readonly ChunkPipeline _pipeline;
    private readonly KernelCache _kernels;
    private readonly Dictionary<Code4, (MemoryBuffer1D<long, Stride1D.Dense> Buckets,
        MemoryBuffer1D<float, Stride1D.Dense> Thresholds, MemoryBuffer1D<float, Stride1D.Dense> Values)> _codes = [];

    private readonly MemoryBuffer1D<float, Stride1D.Dense> _dynamicBounds;
    private readonly MemoryBuffer1D<byte, Stride1D.Dense> _dynamicRanks;
    private readonly MemoryBuffer1D<float, Stride1D.Dense> _map;
    private readonly MemoryBuffer1D<int, Stride1D.Dense> _nonFinite;

    private IlgpuSession(GpuDevice device, Context context, Accelerator accelerator, long maxDeviceMemoryBytes)
        : base(device, maxDeviceMemoryBytes)
    {
        _context = context;
        _accelerator = accelerator;
        _kernels = new KernelCache(device, accelerator);
        _pipeline = new ChunkPipeline(accelerator);
        _dynamicBounds = accelerator.Allocate1D(DynamicBuckets.BoundOfBucket.ToArray());
        _dynamicRanks = accelerator.Allocate1D(DynamicBuckets.CodeOfBucket.ToArray());
        _map = accelerator.Allocate1D<float>(256);
        _nonFinite = accelerator.Allocate1D<int>(1);
    }

    public override bool HasTensorCores => _accelerator is CudaAccelerator { Architecture.Major: >= 8 };

    /// <summary>Warp shuffles of 32 threads, on which <see cref="ShuffleMax"/> relies.</summary>
    private bool HasShuffles => _accelerator is CudaAccelerator;

    /// <summary>Threads of a group where the kernel is free to choose: few on the simulator, where each is a thread of the
    /// operating system.</summary>
    private int UsualGroup => Device.IsSimulator ? 32 : Math.Min(256, _accelerator.MaxNumThreadsPerGroup);

    /// <summary>Checks the arithmetic. The session it returns takes over the accelerator and its context; after an exception
    /// both are for the caller to dispose, which does no harm if that was done here.</summary>
    /// <exception cref="GpuException">The device does not give the CPU's bytes.</exception>
    public static IlgpuSession Open(GpuDevice device, Context context, Accelerator accelerator, long maxDeviceMemoryBytes)
    {
        if (accelerator.MaxNumThreadsPerGroup < Quantize4Kernel.LargestGroup)
        {
            throw new GpuException($"{device.Id}: groups of {accelerator.MaxNumThreadsPerGroup} threads, {Quantize4Kernel.LargestGroup} are needed");
        }

        var session = new IlgpuSession(device, context, accelerator, maxDeviceMemoryBytes);
        try
        {
            // The simulator is this CPU, and slow: its tests are the check.
            if (!device.IsSimulator) SelfCheck.Run(session);
        }
        catch
        {
            session.Dispose();
            throw;
        }

        return session;
    }

    private protected override bool IsOfDevice(Exception error) => DriverErrors.Include(error);

    private protected override IEnumerable<Action> ClosingSteps() =>
    [
        _accelerator.Synchronize,
        .. _pipeline.Parts.Concat(_codes.Values.SelectMany(tables => new IDisposable[] { tables.Buckets, tables.Thresholds, tables.Values }))
            .Select(part => (Action)part.Dispose),
        _dynamicBounds.Dispose,
        _dynamicRanks.Dispose,
        _map.Dispose,
        _nonFinite.Dispose,
        _accelerator.Dispose,
        _context.Dispose,
    ];

    private (ArrayView<long> Buckets, ArrayView<float> Thresholds, ArrayView<float> Values) TablesOf(Code4 code)
    {
        if (!_codes.TryGetValue(code, out var tables))
        {
            GpuCode table = GpuCode.Of(code);
            tables = (
                _accelerator.Allocate1D(table.Buckets), _accelerator.Allocate1D(table.Thresholds), _accelerator.Allocate1D(table.Values));
            _codes.Add(code, tables);
        }

        return (tables.Buckets.View, tables.Thresholds.View, tables.Values.View);
    }

    /// <summary>The struct that stands for a 4-bit type in kernels.</summary>
    private static Type RankedOf(Code4 code) => code == Code4Catalog.Fp4 ? typeof(RankedFp4) : typeof(RankedNf4);

    private static Type StoredOf(ElementType type) => type switch
    {
        ElementType.F32 => typeof(StoredF32),
        ElementType.F16 => typeof(StoredF16),
        _ => typeof(StoredBF16),
    };

    private static int Groups(long threads, int group) => checked((int)((threads + group - 1) / group));
}
