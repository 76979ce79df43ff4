namespace Bnb.Engine.Errors;

/// <summary>
/// The documented exit codes (docs/cli.md). An unknown non-zero code is a failure. All stay below 64 or follow the
/// shell's 128 + signal, so that a crash (134, 139) can never look like an answer.
/// </summary>
internal enum ExitCode
{
    Done = 0,
    InternalError = 1,
    Usage = 2,
    InputMissing = 3,
    InputMalformed = 4,
    InputUnsafe = 5,
    InputUnsupported = 6,
    DataCheckFailed = 7,
    OutputRefused = 8,
    NoSpace = 9,
    IoError = 10,
    Locked = 11,
    MemoryLimit = 12,
    InputChanged = 13,
    VerificationFailed = 14,
    CannotResume = 15,
    DeviceFailed = 16,

    /// <summary>No failure: <c>diff</c> found differences.</summary>
    Differs = 20,
    Hangup = 129,
    Interrupted = 130,
    Terminated = 143,
}
