using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Recipes;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Quantizing;

/// <summary>The options of <c>quantize</c> as values, checked one by one but not yet against the source.</summary>
internal sealed record QuantizeRequest
{
    public required string SourcePath { get; init; }

    /// <summary>Null only in a dry run.</summary>
    public required string? OutputPath { get; init; }

    public QuantizeRecipe Recipe { get; init; } = new Blockwise4Recipe(Code4Catalog.Nf4, 64, DoubleQuant: true, DType.U8);

    /// <summary>Null: the dtype that most quantized parameters have in the source.</summary>
    public string? ComputeDType { get; init; }

    /// <summary>The variant of the source's weights that is read, such as <c>fp16</c>; null for the plain files.</summary>
    public string? Variant { get; init; }

    /// <summary>Components of a pipeline to quantize; empty for the denoisers and large text encoders.</summary>
    public IReadOnlyList<string> Components { get; init; } = [];

    /// <summary>The component of a pipeline that this is of; null for a model, and for the request that names a whole pipeline.</summary>
    public string? Component { get; init; }

    /// <summary>What patterns may have before the names of tensors: the component and a slash; empty for a model.</summary>
    public string NamePrefix => Component is null ? "" : Component + "/";

    /// <summary>The dtype that floating-point tensors are cast to before anything else; null to leave them as they are.</summary>
    public ElementType? CastTo { get; init; }

    /// <summary>A LoRA adapter's folder, whose updates are added before anything else; null for none.</summary>
    public string? AdapterPath { get; init; }

    /// <summary>The least share of the parameters that must be quantized, 0 to 1; null when any will do.</summary>
    public double? MinCoverage { get; init; }

    /// <summary>--include and --exclude in command-line order.</summary>
    public IReadOnlyList<PatternRule> Patterns { get; init; } = [];

    /// <summary>Forms of single tensors, in order; the last that matches counts.</summary>
    public IReadOnlyList<RecipeOverride> Overrides { get; init; } = [];

    /// <summary>Mean squares of activations for the search of scales, or null.</summary>
    public string? ImportancePath { get; init; }

    public bool ExcludeUnaligned { get; init; }

    public bool QuantizeVision { get; init; }

    /// <summary>What becomes of experts stored one by one; null: packed, unless <see cref="LoadsIn"/> wants it otherwise.</summary>
    public ExpertChoice? Experts { get; init; }

    /// <summary>Loaders that must be able to read the output.</summary>
    public IReadOnlyList<LoadTarget> LoadsIn { get; init; } = [];

    public long MaxShardBytes { get; init; } = 5_000_000_000;

    public int Threads { get; init; } = Environment.ProcessorCount;

    public long MaxMemoryBytes { get; init; } = 256L << 20;

    public bool DryRun { get; init; }

    public bool Overwrite { get; init; }

    /// <summary>Throw away what an interrupted run left.</summary>
    public bool Restart { get; init; }

    /// <summary>Which part of the output this process makes; null for all of it.</summary>
    public WorkerShare? Share { get; init; }

    /// <summary>Write SHA-256 of the source's weight files to the manifest.</summary>
    public bool HashSource { get; init; }

    /// <summary>Hash the weight files that are written, so that they can be checked later; changes none of their bytes.</summary>
    public bool Checksums { get; init; } = true;

    public bool FollowSymlinks { get; init; }

    public bool KeepNonFinite { get; init; }

    /// <summary>What runs the kernels.</summary>
    public DeviceChoice Device { get; init; } = DeviceChoice.Cpu;

    /// <summary>Null: what <see cref="DeviceSelector"/> takes.</summary>
    public long? MaxDeviceMemoryBytes { get; init; }

    /// <summary>Null: the best one, or what the environment forces.</summary>
    public KernelPath? KernelPath { get; init; }
}
