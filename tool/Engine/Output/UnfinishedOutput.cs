using Bnb.Engine.Errors;

namespace Bnb.Engine.Output;

/// <summary>
/// Keeps the staging folder of a run, which holds finished shards under their final names, from being taken for a
/// checkpoint.
/// </summary>
internal static class UnfinishedOutput
{
    /// <exception cref="UserErrorException">INCOMPLETE: the path is such a folder.</exception>
    public static void Refuse(string path)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        if (!name.EndsWith(StagingNames.Suffix, StringComparison.Ordinal)) return;
        throw new UserErrorException(ExitCode.InputMalformed, "INCOMPLETE", "this is the staging folder of a run that is in progress or was interrupted")
        {
            File = path,
            Action = "wait for the run, or run it again",
        };
    }
}
