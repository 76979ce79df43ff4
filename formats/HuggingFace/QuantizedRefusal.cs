using Bnb.Formats.Primitives;

namespace Bnb.Formats.HuggingFace;

/// <summary>The refusal of a source that is quantized, whatever showed it.</summary>
internal static class QuantizedRefusal
{
    /// <param name="file">The config, or the folder.</param>
    /// <param name="reason">What was found, escaped for display.</param>
    public static CheckpointFormatException Error(string file, string reason) => new(
        FormatError.AlreadyQuantized,
        "the checkpoint is quantized already",
        file,
        facts: [("found", reason)],
        action: "start from the original weights");
}
