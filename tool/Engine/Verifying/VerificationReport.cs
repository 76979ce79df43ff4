namespace Bnb.Engine.Verifying;

/// <summary>The result of <c>verify</c>: values first, every output format is made from this.</summary>
/// <param name="Quantized">Path as given.</param>
/// <param name="Source">Path as given.</param>
/// <param name="Seed">Of the random activations.</param>
/// <param name="Sample">The value of --sample, null when every layer was checked.</param>
/// <param name="Layers">In the order of the checkpoint.</param>
/// <param name="Findings">About the checkpoint as a whole: structure, config, missing or extra tensors, plain tensors that differ.</param>
/// <param name="PlainTensors">Unquantized tensors compared with the source.</param>
/// <param name="KernelPath">What ran the products.</param>
/// <param name="DeviceNote">Why that device, null when none was asked for.</param>
/// <param name="PlainDiffering">Of those, not equal byte for byte.</param>
internal sealed record VerificationReport(
    string Quantized,
    string Source,
    string KernelPath,
    ulong Seed,
    string? Sample,
    int LayersInCheckpoint,
    IReadOnlyList<LayerResult> Layers,
    IReadOnlyList<Finding> Findings,
    int PlainTensors,
    int PlainDiffering,
    double Seconds,
    string? DeviceNote = null)
{
    /// <summary>The words that asked for it, null where a program did.</summary>
    public string? Command { get; init; }

    /// <summary>The weight files that were verified.</summary>
    public IReadOnlyList<VerifiedFile> QuantizedFiles { get; init; } = [];

    /// <summary>The weight files that they were held against.</summary>
    public IReadOnlyList<VerifiedFile> SourceFiles { get; init; } = [];

    /// <summary>Version of the JSON form; raised when a member changes its meaning or goes away.</summary>
    public const int SchemaVersion = 1;

    public bool Passed => Layers.All(layer => layer.Passed) && !Findings.Any(finding => finding.Fails);

    public long Codes => Layers.Sum(layer => layer.Faithfulness.Codes);

    public long CodesDiffering => Layers.Sum(layer => layer.Faithfulness.CodesDiffering);
}
