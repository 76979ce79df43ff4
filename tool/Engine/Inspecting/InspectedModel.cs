using Bnb.Formats.Checkpoints;

namespace Bnb.Engine.Inspecting;

/// <summary>A model to look into.</summary>
/// <param name="Component">Its name in a pipeline; null for a model by itself.</param>
/// <param name="Checkpoint">Its files.</param>
/// <param name="IsUsual">Whether <c>quantize</c> takes it unless told otherwise: of a pipeline, denoisers and large text encoders.</param>
internal sealed record InspectedModel(string? Component, Checkpoint Checkpoint, bool IsUsual);
