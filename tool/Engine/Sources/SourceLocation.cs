using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Sources;

/// <summary>Where the checkpoint is that a user named.</summary>
/// <param name="Path">Folder or file.</param>
/// <param name="Model">The model of the Hugging Face cache it belongs to; null for a path elsewhere.</param>
internal sealed record SourceLocation(string Path, RepositoryName? Model);
