namespace Bnb.AtlasGenerator;

/// <summary>One class, ready to be packed.</summary>
/// <param name="Section"><c>t</c> transformers, <c>d</c> diffusers, <c>v</c> vLLM.</param>
/// <param name="Name">Name of the class or architecture.</param>
/// <param name="ModelType"><c>model_type</c>, empty outside transformers.</param>
/// <param name="Json">The facts the tool reads.</param>
/// <param name="IsRemoved">vLLM only names the architecture as one it had.</param>
internal sealed record AtlasLine(string Section, string Name, string ModelType, string Json, bool IsRemoved = false);
