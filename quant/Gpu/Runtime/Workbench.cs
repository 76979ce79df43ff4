using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>An open accelerator and what every operation needs of it: compiled kernels, the chunk pipeline, the tables of the
/// codes. Not thread-safe.</summary>
internal sealed class Workbench : IDisposable
{
    private readonly Context _context;
    private readonly Dictionary<Code4, CodeTables> _codes = [];
    private DynamicTables? _dynamic;

    /// <summary>Takes over the accelerator and its context; after an exception both are disposed.</summary>
    /// <exception cref="GpuException">The device has too few threads in a group.</exception>
    public Workbench(GpuDevice device, Context context, Accelerator accelerator, long maxDeviceMemoryBytes)
    {
        Device = device;
        Accelerator = accelerator;
        MaxDeviceMemoryBytes = maxDeviceMemoryBytes;
        _context = context;
        try
        {
            if (accelerator.MaxNumThreadsPerGroup < Quantize4Kernel.LargestGroup)
            {
                throw new GpuException(
                    $"{device.Id}: groups of {accelerator.MaxNumThreadsPerGroup} threads, {Quantize4Kernel.LargestGroup} are needed");
            }

            Kernels = new KernelCache(device, accelerator);
            Pipeline = new ChunkPipeline(accelerator);
            NonFinite = new Flag(accelerator);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What was opened.</summary>
    public GpuDevice Device { get; }

    /// <summary>The accelerator.</summary>
    public Accelerator Accelerator { get; }

    /// <summary>Compiled at their first use.</summary>
    public KernelCache Kernels { get; } = null!;

    /// <summary>What streams chunks.</summary>
    public ChunkPipeline Pipeline { get; } = null!;

    /// <summary>The word in which kernels say that a value is not finite.</summary>
    public Flag NonFinite { get; } = null!;

    /// <summary>The limit that the user gave.</summary>
    public long MaxDeviceMemoryBytes { get; }

    /// <summary>The most values of a chunk, where memory allows them: enough to keep a device busy for longer than a launch
    /// takes, and far from every 32-bit index. A multiple of 4096; tests set it low to cut small data.</summary>
    public int LargestChunk { get; set; } = 4 << 20;

    /// <summary>Device memory for the rows of a chunk, of which two are under way; the tables and the padding of the buffers
    /// take far less than the megabyte that is left for them.</summary>
    public long RowMemory => (MaxDeviceMemoryBytes - (1 << 20)) / 2;

    /// <summary>The most columns of a row that must be on the device as a whole.</summary>
    public int LongestRow(ElementType type) =>
        (int)Math.Min((RowMemory - sizeof(float)) / (type.Size() + 1), (int.MaxValue - 4096) / type.Size());

    /// <summary>mma.sync of bf16.</summary>
    public bool HasTensorCores => Accelerator is CudaAccelerator { Architecture.Major: >= 8 };

    /// <summary>Warp shuffles of 32 threads, on which <see cref="ShuffleMax"/> relies.</summary>
    public bool HasShuffles => Accelerator is CudaAccelerator;

    /// <summary>float64, which OpenCL devices may lack.</summary>
    public bool HasFloat64 => Accelerator is not CLAccelerator { Capabilities.Float64: false };

    /// <summary>Threads of a group where the kernel is free to choose: few on the simulator, where each is a thread of the
    /// operating system.</summary>
    public int UsualGroup => Device.IsSimulator ? 32 : Math.Min(256, Accelerator.MaxNumThreadsPerGroup);

    /// <summary>The device's tables of a 4-bit code.</summary>
    /// <exception cref="GpuException">There are no kernels for it.</exception>
    public CodeTables TablesOf(Code4 code)
    {
        if (!_codes.TryGetValue(code, out CodeTables? tables))
        {
            _codes.Add(code, tables = new CodeTables(Accelerator, Kernels, code, HasFloat64));
        }

        return tables;
    }

    /// <summary>The device's tables of the dynamic 8-bit code.</summary>
    public DynamicTables Dynamic => _dynamic ??= new DynamicTables(Accelerator);

    /// <summary>dp4a.</summary>
    public bool HasDp4a => Accelerator is CudaAccelerator { Architecture: var version } && (version.Major > 6 || (version.Major == 6 && version.Minor >= 1));

    /// <summary>A copy on the device, padded with zeros so that kernels may read whole words.</summary>
    public MemoryBuffer1D<byte, Stride1D.Dense> Upload(ReadOnlySpan<byte> bytes)
    {
        var padded = new byte[(bytes.Length + Port.Padding) / Port.Padding * Port.Padding];
        bytes.CopyTo(padded);
        return Accelerator.Allocate1D(padded);
    }

    /// <summary>Groups for so many threads.</summary>
    public static int Groups(long threads, int group) => checked((int)((threads + group - 1) / group));

    /// <summary>Gives everything back that the device still lets go of. Never throws.</summary>
    public void Dispose() => Closing.AttemptAll(
    [
        Accelerator.Synchronize,
        .. (Pipeline?.Parts ?? []).Select(part => (Action)part.Dispose),
        .. _codes.Values.Select(tables => (Action)tables.Dispose),
        () => _dynamic?.Dispose(),
        () => NonFinite?.Dispose(),
        Accelerator.Dispose,
        _context.Dispose,
    ]);
}
