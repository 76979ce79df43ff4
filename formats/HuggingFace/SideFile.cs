namespace Bnb.Formats.HuggingFace;

/// <summary>A file that travels with the weights unchanged: tokenizer, templates, code, licence.</summary>
/// <param name="Path">Where to read it.</param>
/// <param name="RelativeName">Its place below the model folder, parts separated by <c>/</c>.</param>
/// <param name="Length">Bytes.</param>
public sealed record SideFile(string Path, string RelativeName, long Length);
