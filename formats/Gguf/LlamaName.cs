namespace Bnb.Formats.Gguf;

/// <summary>ggml's name of a weight, and which expert's matrix of it is meant; null where it is not one expert's.</summary>
/// <param name="Name">With <c>.weight</c>.</param>
/// <param name="Expert">Its number.</param>
public readonly record struct LlamaName(string Name, long? Expert);
