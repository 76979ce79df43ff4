using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// Which components of a pipeline are quantized: those that were named, or by default what does the most work and takes the most
/// room: denoisers, and text encoders of a billion parameters and more. Small encoders, VAEs and the rest lose more than they save.
/// </summary>
internal static class ComponentChoice
{
    private const long LargeEncoder = 1_000_000_000;

    private static readonly string[] DenoiserNames = ["transformer", "unet"];
    private static readonly string[] DenoiserClasses = ["Transformer", "UNet", "UVit"];
    private static readonly string[] OtherClasses = ["ControlNet", "Adapter", "Autoencoder"];

    /// <param name="wanted">Names as given; empty for the default.</param>
    /// <exception cref="UserErrorException">COMPONENTS (2): a name that is none, or a pipeline without any of the default ones.</exception>
    public static IReadOnlyList<PipelineComponent> Of(PipelineFolder pipeline, IReadOnlyList<string> wanted)
    {
        if (wanted.Count > 0)
        {
            if (wanted.FirstOrDefault(name => pipeline.Components.All(component => component.Name != name)) is { } unknown)
                throw Refuse(pipeline, $"the pipeline has no component {DisplayText.Escape(unknown)} with weights");
            return [.. pipeline.Components.Where(component => wanted.Contains(component.Name))];
        }

        IReadOnlyList<PipelineComponent> chosen = [.. pipeline.Components.Where(IsUsual)];
        return chosen.Count > 0 ? chosen : throw Refuse(pipeline, "the pipeline has neither a denoiser nor a large text encoder");
    }

    /// <summary>Whether a component is quantized when none are named.</summary>
    public static bool IsUsual(PipelineComponent component) => IsDenoiser(component) || IsLargeEncoder(component);

    // Nearly all are a transformer, transformer_2 or unet; in pipelines of several stages a prior or decoder is one by its class.
    private static bool IsDenoiser(PipelineComponent component) => component.Library != "transformers"
        && !OtherClasses.Any(word => component.Class.Contains(word, StringComparison.Ordinal))
        && (DenoiserNames.Any(word => component.Name.StartsWith(word, StringComparison.Ordinal))
            || DenoiserClasses.Any(word => component.Class.Contains(word, StringComparison.Ordinal)));

    private static bool IsLargeEncoder(PipelineComponent component) =>
        component.Name.StartsWith("text_encoder", StringComparison.Ordinal) && component.ParameterCount >= LargeEncoder;

    private static UserErrorException Refuse(PipelineFolder pipeline, string what) => new(ExitCode.Usage, "COMPONENTS", what)
    {
        File = pipeline.Folder,
        Facts = [("components", pipeline.Components.Count == 0 ? "none with weights that are read" : ItemList.Names([.. pipeline.Components.Select(static component => component.Name)]))],
        Action = "name some of these with --components, separated by commas",
    };
}
