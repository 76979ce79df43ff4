using Bnb.Engine.Errors;
using Bnb.Formats.IO;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Work;

/// <summary>
/// Notices a source file that was replaced, rewritten or touched after the plan was made: size, mtime, ctime, device and
/// inode together (ctime catches a file whose mtime was set back).
/// </summary>
internal static class InputCheck
{
    public static void ThrowIfChanged(CheckpointFile file) => ThrowIfChanged(file, FileIdentity.Of(file.Path));

    public static void ThrowIfChanged(CheckpointFile file, FileIdentity now)
    {
        if (now == file.Identity) return;
        throw new UserErrorException(ExitCode.InputChanged, "INPUT-CHANGED", $"{file.Name} changed while it was being read")
        {
            File = file.Path,
            Facts =
            [
                ("size", $"{file.Identity.Length:N0} bytes when the run began, {now.Length:N0} now"),
            ],
            Action = "run the command again when nothing writes to the source",
        };
    }
}
