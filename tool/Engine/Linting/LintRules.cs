namespace Bnb.Engine.Linting;

/// <summary>
/// The rules by which loaders are judged, with identifiers that stay as they are. Sources: docs/loaders.md. Rules about the layout of
/// a weight have identifiers of their own (docs/formats.md) and concern every loader.
/// </summary>
internal sealed record LintRule(string Id, string Title, string Action);

/// <inheritdoc cref="LintRule"/>
internal static class LintRules
{
    public static readonly LintRule NoConfig = new("LOAD001", "there is no config.json, or none that says how the weights are quantized", "write a quantization_config: quantize the original weights again");
    public static readonly LintRule ConfigDiffers = new("LOAD002", "config.json says something else than the tensors", "correct the member of quantization_config");
    public static readonly LintRule WrongType = new("LOAD010", "the library has no loader for this data type", "quantize to a type that it reads");
    public static readonly LintRule NoClass = new("LOAD011", "the library has no class of that name", "correct architectures in config.json, or use a version that has it");
    public static readonly LintRule UnknownClass = new("LOAD012", "the class is not known: judged by the names of its tensors", "load it once to be sure");
    public static readonly LintRule NotLinear = new("LOAD101", "a packed tensor is no linear layer of the class", "quantize again with --exclude for these tensors");
    public static readonly LintRule Subclass = new("LOAD102", "a packed tensor belongs to a subclass of the linear layer, which the library does not convert", "quantize again with --exclude for these tensors");
    public static readonly LintRule FusedExperts = new("LOAD103", "experts are packed one by one, and the library fuses them when it loads", "use -t int4, or --experts keep");
    public static readonly LintRule Rebuilt = new("LOAD104", "a packed tensor is split or merged when it loads, and is lost", "quantize again with --exclude for these tensors");
    public static readonly LintRule Absent = new("LOAD105", "the library has no tensor of that name", "the tensors are left over: harmless where they are not needed");
    public static readonly LintRule PackedButSkipped = new("LOAD106", "the skip list leaves out a module that is packed", "take the entry out of the list, or write it longer");
    public static readonly LintRule PlainNotSkipped = new("LOAD107", "a plain linear layer is not on the skip list, so the library builds a packed one", "add the modules to the list");
    public static readonly LintRule UnsavedNotSkipped = new("LOAD108", "a linear layer without weights of its own (a tied head) is not on the skip list", "add the modules to the list");
    public static readonly LintRule BiasInPath = new("LOAD109", "a packed module has bias in its path, which the library takes for a bias", "quantize again with --exclude for these tensors");
    public static readonly LintRule AsymmetricInt4 = new("LOAD110", "compressed-tensors from 0.18 on does not unpack zero points there", "load with dequantize=True, or quantize with --symmetric true");
    public static readonly LintRule StackedExperts = new("LOAD111", "experts are stored one by one, and the library reads them as one tensor", "load it where they are read one by one (vLLM), or quantize again without --experts split");
    public static readonly LintRule NoBitsAndBytes = new("LOAD120", "the class has no support for bitsandbytes there", "use -t int4");
    public static readonly LintRule StorageType = new("LOAD121", "packed bytes are declared as another dtype than uint8", "quantize with --quant-storage uint8");
    public static readonly LintRule Float32 = new("LOAD122", "its bitsandbytes layers run in float16 and bfloat16 only", "set torch_dtype in config.json to bfloat16");
    public static readonly LintRule MixedGroup = new("LOAD123", "of layers that the library fuses some are packed and some are plain", "quantize or exclude them together");
    public static readonly LintRule PackedExpertType = new("LOAD124", "experts are read packed as nf4 only", "quantize to nf4, or -t int4");
    public static readonly LintRule PlainExperts = new("LOAD125", "all experts of a bitsandbytes checkpoint are taken for packed", "use --experts pack, or -t int4");
    public static readonly LintRule Capitals = new("LOAD126", "int8 scales of modules with capitals in their names are not found", "quantize to nf4 or int4");
    public static readonly LintRule OffsetRounded = new("LOAD127", "the offset of double quantization is held in the dtype of the model", "quantize with --double-quant false where a bf16 step matters");

    /// <summary>All of them, in the order of their identifiers.</summary>
    public static IReadOnlyList<LintRule> All { get; } =
    [
        NoConfig, ConfigDiffers, WrongType, NoClass, UnknownClass, NotLinear,
        Subclass, FusedExperts, Rebuilt, Absent, PackedButSkipped, PlainNotSkipped,
        UnsavedNotSkipped, BiasInPath, AsymmetricInt4, StackedExperts, NoBitsAndBytes, StorageType, Float32,
        MixedGroup, PackedExpertType, PlainExperts, Capitals, OffsetRounded,
    ];
}
