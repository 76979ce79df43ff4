using Bnb.Engine.Evaluating.Families;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Evaluating;

/// <summary>One side of an evaluation.</summary>
/// <param name="Checkpoint">Its weights.</param>
/// <param name="Form">What its config describes.</param>
/// <param name="ModelType">Its family.</param>
internal sealed record EvaluatedModel(QuantizedCheckpoint Checkpoint, DecoderForm Form, string ModelType)
{
    /// <param name="config">The config to take where the checkpoint has none: a single file may lie alone.</param>
    public static EvaluatedModel Open(QuantizedCheckpoint checkpoint, (ModelConfig Config, string Path) config, int contextLength) =>
        new(checkpoint, DecoderFamilies.Describe(config.Config, config.Path, contextLength), config.Config.ModelType!);
}
