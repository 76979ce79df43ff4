using Bnb.Engine.Errors;
using Bnb.Formats.IO;

namespace Bnb.Engine.Work;

/// <summary>
/// config.json, index and side files as they were when the plan was made: notices one that was edited while the run worked.
/// </summary>
internal sealed class SmallInputs
{
    private readonly List<WatchedFile> _files;

    private SmallInputs(List<WatchedFile> files) => _files = files;

    public static SmallInputs Of(IEnumerable<string> paths) => new([.. paths.Select(static path => new WatchedFile(path, FileIdentity.Of(path)))]);

    /// <exception cref="UserErrorException">INPUT-CHANGED.</exception>
    public void ThrowIfChanged()
    {
        foreach (WatchedFile file in _files)
        {
            if (FileIdentity.Of(file.Path) == file.Identity) continue;
            throw new UserErrorException(ExitCode.InputChanged, "INPUT-CHANGED", $"{Path.GetFileName(file.Path)} changed while the run worked")
            {
                File = file.Path,
                Action = "run the command again when nothing writes to the source",
            };
        }
    }

    private sealed record WatchedFile(string Path, FileIdentity Identity);
}
