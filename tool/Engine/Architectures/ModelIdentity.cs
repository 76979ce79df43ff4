namespace Bnb.Engine.Architectures;

/// <summary>What a configuration calls its model and the models inside it.</summary>
/// <param name="ModelType"><c>model_type</c>.</param>
/// <param name="DiffusersClass">diffusers' <c>_class_name</c>.</param>
/// <param name="Architectures"><c>architectures</c>.</param>
/// <param name="Parts">Nested configurations, such as <c>text_config</c> and <c>thinker_config</c>, outermost first.</param>
internal sealed record ModelIdentity(
    string? ModelType, string? DiffusersClass, IReadOnlyList<string> Architectures, IReadOnlyList<ModelIdentity> Parts)
{
    /// <summary>Nothing is known.</summary>
    public static ModelIdentity Unknown { get; } = new(null, null, [], []);
}
