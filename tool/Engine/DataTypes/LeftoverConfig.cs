using Bnb.Formats.Checkpoints;

namespace Bnb.Engine.DataTypes;

/// <summary>A <c>quantization_config</c> beside plain weights: left over from another form of the model, or of a tool's "dense" one.</summary>
internal static class LeftoverConfig
{
    /// <summary>The way forward; null when the config names no quantization or some tensor shows a trace of one.</summary>
    public static string? Action(Checkpoint source) => source.Config?.QuantMethod is not null && QuantizedSource.FindInTensors(source) is null
        ? "all tensors are plain: if they are the original weights, take quantization_config out of config.json, it is left over"
        : null;
}
