using Bnb.Formats.Tensors;

namespace Bnb.Engine.Plans;

/// <summary>A weight file of the source.</summary>
/// <param name="Name">Below the source folder, a pipeline's component included.</param>
/// <param name="File">The file.</param>
internal sealed record NamedFile(string Name, CheckpointFile File);
