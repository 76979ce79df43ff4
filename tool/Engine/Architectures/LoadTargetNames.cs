namespace Bnb.Engine.Architectures;

/// <summary>The words for loaders on the command line and in reports.</summary>
internal static class LoadTargetNames
{
    public static string Word(this LoadTarget target) => target switch
    {
        LoadTarget.Transformers4 => "transformers4",
        LoadTarget.Transformers5 => "transformers5",
        LoadTarget.Diffusers => "diffusers",
        LoadTarget.Vllm => "vllm",
        LoadTarget.Sglang => "sglang",
        _ => "peft",
    };
}
