using Bnb.Engine.Errors;
using Bnb.Formats.IO;

namespace Bnb.Engine.Work;

/// <summary>
/// config.json, index and side files as they were when the plan was made: notices one that was edited while the run worked.
/// </summary>
internal sealed class SmallInputs
{
    private readonly List<(string Path, FileIdentity Identity)> _files;

    private SmallInputs(List<(string Path, FileIdentity Identity)> files) => _files = files;

    public static SmallInputs Of(IEnumerable<string> paths) => new([.. paths.Select(static path => (path, FileIdentity.Of(path)))]);

    /// <exception cref="UserErrorException">INPUT-CHANGED.</exception>
    public void ThrowIfChanged()
    {
        foreach ((string path, FileIdentity then) in _files)
        {
            if (FileIdentity.Of(path) == then) continue;
            throw new UserErrorException(ExitCode.InputChanged, "INPUT-CHANGED", $"{Path.GetFileName(path)} changed while the run worked")
            {
                File = path,
                Action = "run the command again when nothing writes to the source",
            };
        }
    }
}
