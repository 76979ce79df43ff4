namespace Bnb.Engine.Architectures;

/// <summary>A library that a checkpoint is to be loaded with, as <c>--loads-in</c> and <c>lint --for</c> name it.</summary>
internal enum LoadTarget
{
    /// <summary>transformers 4 (read in 4.57).</summary>
    Transformers4,

    /// <summary>transformers 5 (read in 5.23).</summary>
    Transformers5,

    /// <summary>diffusers (read in 0.42).</summary>
    Diffusers,

    /// <summary>vLLM, from 0.28 on with vllm-bnb-plugin for bitsandbytes.</summary>
    Vllm,

    /// <summary>SGLang (read in 0.5).</summary>
    Sglang,

    /// <summary>PEFT on top of transformers.</summary>
    Peft,
}
