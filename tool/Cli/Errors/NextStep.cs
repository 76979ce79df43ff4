using Bnb.Engine.Errors;

namespace Bnb.Cli.Errors;

/// <summary>What to do after an error that does not say so itself: every error ends with one thing to try.</summary>
internal static class NextStep
{
    /// <summary>By kind of error.</summary>
    public static string? For(ExitCode exit) => exit switch
    {
        ExitCode.InternalError => "this is a bug: report it with a --log-file",
        ExitCode.Usage => "see dotnet bnb --help",
        ExitCode.InputMissing => "check the path, or download the file",
        ExitCode.InputMalformed => "download this file again",
        ExitCode.InputUnsafe => "use a copy from a publisher you trust",
        ExitCode.InputUnsupported => "start from the original weights",
        ExitCode.OutputRefused => "choose another place, or make this one writable",
        ExitCode.NoSpace => "free space and run the same command again",
        ExitCode.IoError => "check the disk, then run the same command again",
        ExitCode.MemoryLimit => "lower --max-memory or --threads, or raise the limit of the process",
        ExitCode.InputChanged => "run the same command again when nothing writes to the input",
        ExitCode.DataCheckFailed => "get these weights again, from where they were made",
        ExitCode.Locked => "wait until the other run has ended, then run the same command again",
        ExitCode.VerificationFailed => "quantize the source again, and verify that",
        ExitCode.CannotResume => "run the same command with --restart",
        ExitCode.DeviceFailed => "see dotnet bnb devices, or use --device cpu",
        ExitCode.Interrupted or ExitCode.Terminated or ExitCode.Hangup => "run the same command again",
        _ => null,
    };
}
