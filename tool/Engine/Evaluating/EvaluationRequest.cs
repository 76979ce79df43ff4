using Bnb.Engine.Devices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Evaluating;

/// <summary>What to evaluate, and how.</summary>
internal sealed record EvaluationRequest
{
    /// <summary>The checkpoint to judge.</summary>
    public required string QuantizedPath { get; init; }

    /// <summary>The one it is judged by.</summary>
    public required string SourcePath { get; init; }

    /// <summary>A text file; null for the sample text, or with <see cref="IdsPath"/>.</summary>
    public string? TextPath { get; init; }

    /// <summary>A safetensors file with tokens; null to use text.</summary>
    public string? IdsPath { get; init; }

    /// <summary>What is taken of a text when nobody asks for another number.</summary>
    public const int DefaultTokens = 4096;

    /// <summary>Tokens at most; null for <see cref="DefaultTokens"/> of a text, or all of <see cref="IdsPath"/>.</summary>
    public int? Tokens { get; init; }

    /// <summary>Tokens of each context that text is cut into.</summary>
    public int Context { get; init; } = 512;

    /// <summary>What decoded weights and activations are rounded to; float32 for none.</summary>
    public ElementType ComputeType { get; init; } = ElementType.F32;

    /// <summary>Whether squared activations of the source are collected.</summary>
    public bool CollectImportance { get; init; }

    /// <summary>Threads at most.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>What multiplies with weights.</summary>
    public DeviceChoice Device { get; init; } = DeviceChoice.Cpu;

    /// <summary>Null: what <see cref="DeviceSelector"/> takes.</summary>
    public long? MaxDeviceMemoryBytes { get; init; }

    /// <summary>The kernel path; null for the machine's choice.</summary>
    public KernelPath? KernelPath { get; init; }
}
