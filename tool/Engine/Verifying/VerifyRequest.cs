using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Verifying;

/// <summary>The options of <c>verify</c> as values.</summary>
internal sealed record VerifyRequest
{
    public required string QuantizedPath { get; init; }

    public required string SourcePath { get; init; }

    /// <summary>Rows of X in the products; 0 leaves them out.</summary>
    public int Tokens { get; init; } = 32;

    public ulong Seed { get; init; } = 20231027;

    /// <summary>Channels of X that are 20 times as large as the others, as in real transformers.</summary>
    public int OutlierChannels { get; init; }

    /// <summary>A safetensors file of real activations by layer name, or null.</summary>
    public string? ActivationsPath { get; init; }

    /// <summary>bfloat16 or float16; null: the config's, or bfloat16.</summary>
    public ElementType? ComputeType { get; init; }

    /// <summary>How scales are said to be found; null: by search where a nested offset of 0 says so, else by absmax.</summary>
    public ScaleRule? Scale { get; init; }

    /// <summary>The importance that was used when quantizing, or null.</summary>
    public string? ImportancePath { get; init; }

    /// <summary>Limits of the command line; they go before those of a policy file.</summary>
    public Thresholds Limits { get; init; } = Thresholds.FromTheory;

    public string? PolicyPath { get; init; }

    /// <summary>As given: a number of layers, or a percentage.</summary>
    public string? Sample { get; init; }

    public IReadOnlyList<PatternRule> Patterns { get; init; } = [];

    /// <summary>What patterns may have before the names of layers: a component of a pipeline and a slash; empty for a model.</summary>
    public string NamePrefix { get; init; } = "";

    public string? BaselinePath { get; init; }

    /// <summary>Whether the quantized files are read to their end for SHA-256, which a kept report wants.</summary>
    public bool HashContents { get; init; }

    /// <summary>The words that the report says it was asked for with, or null.</summary>
    public string? Command { get; init; }

    /// <summary>What runs the kernels.</summary>
    public DeviceChoice Device { get; init; } = DeviceChoice.Cpu;

    /// <summary>Null: what <see cref="DeviceSelector"/> takes.</summary>
    public long? MaxDeviceMemoryBytes { get; init; }

    /// <summary>Null: the selected one.</summary>
    public KernelPath? KernelPath { get; init; }

    public int Threads { get; init; } = Environment.ProcessorCount;

    public long MaxMemoryBytes { get; init; } = 256L << 20;
}
