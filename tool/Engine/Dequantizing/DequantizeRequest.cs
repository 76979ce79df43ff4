using Bnb.Engine.Devices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Dequantizing;

/// <summary>The options of <c>dequantize</c> as values.</summary>
internal sealed record DequantizeRequest
{
    public required string SourcePath { get; init; }

    public required string OutputPath { get; init; }

    /// <summary>Null: each weight's own dtype, the one it was quantized from.</summary>
    public ElementType? Type { get; init; }

    public long MaxShardBytes { get; init; } = 5_000_000_000;

    public int Threads { get; init; } = Environment.ProcessorCount;

    public long MaxMemoryBytes { get; init; } = 256L << 20;

    public bool Overwrite { get; init; }

    /// <summary>Throw away what an interrupted run left.</summary>
    public bool Restart { get; init; }

    /// <summary>Hash the weight files that are written, so that they can be checked later; changes none of their bytes.</summary>
    public bool Checksums { get; init; } = true;

    public bool FollowSymlinks { get; init; }

    /// <summary>What runs the kernels.</summary>
    public DeviceChoice Device { get; init; } = DeviceChoice.Cpu;

    /// <summary>Null: what <see cref="DeviceSelector"/> takes.</summary>
    public long? MaxDeviceMemoryBytes { get; init; }

    public KernelPath? KernelPath { get; init; }
}
