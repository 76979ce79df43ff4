using Bnb.Engine.Quantizing;

namespace Bnb.Engine.Planning;

/// <summary>The options of <c>plan</c> as values. Exactly one goal is given.</summary>
internal sealed record PlanRequest
{
    /// <summary>The quantization to be planned, as a dry run: source, recipe, patterns, importance, threads.</summary>
    public required QuantizeRequest Quantize { get; init; }

    /// <summary>Bytes of the weight files, headers included; of a pipeline all of them, those that are copied too.</summary>
    public long? TargetBytes { get; init; }

    /// <summary>Bits of all tensors over all parameters, as <c>bits_per_parameter</c> of quantize.</summary>
    public double? TargetBits { get; init; }

    /// <summary>Relative RMSE over the weights that can be quantized.</summary>
    public double? MaxError { get; init; }
}
