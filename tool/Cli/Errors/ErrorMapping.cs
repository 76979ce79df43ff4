using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Primitives;
using Bnb.Quant.Gpu.Devices;

namespace Bnb.Cli.Errors;

/// <summary>
/// The one place where an exception becomes an exit code. Anything it does not know is a bug of ours
/// (<see cref="ExitCode.InternalError"/>).
/// </summary>
internal static class ErrorMapping
{
    // Linux errno values; .NET on Unix carries them in IOException.HResult.
    private const int EPERM = 1, EIO = 5, EACCES = 13, EBUSY = 16, EFBIG = 27, ENOSPC = 28, EROFS = 30, ENOMEM = 12, ENFILE = 23, EMFILE = 24, EDQUOT = 122;

    /// <summary>The user's view of <paramref name="exception"/>, or null when it is a bug of ours.</summary>
    public static UserErrorException? ToUserError(Exception exception) => exception switch
    {
        UserErrorException error => error,
        CheckpointFormatException format => FromFormat(format),
        PolicyException policy => new UserErrorException(ExitCode.Usage, policy.Code, policy.Summary, policy)
        {
            Facts = [.. policy.Facts.Select(fact => (fact.Key, fact.Value))],
            Action = policy.Action,
        },
        AggregateException aggregate when aggregate.InnerException is not null => ToUserError(aggregate.InnerException),
        GpuException gpu => new UserErrorException(ExitCode.DeviceFailed, "DEVICE", gpu.Message, gpu)
        {
            Action = "see dotnet bnb devices, or use --device cpu",
        },
        OutOfMemoryException => new UserErrorException(ExitCode.MemoryLimit, "MEMORY", "not enough memory", exception)
        {
            Action = "lower --max-memory or --threads, or raise the limit of the process",
        },
        UnauthorizedAccessException => new UserErrorException(ExitCode.OutputRefused, "DENIED", exception.Message, exception),
        PathTooLongException => new UserErrorException(ExitCode.OutputRefused, "NAME-TOO-LONG", exception.Message, exception) { Action = "choose a shorter name" },
        OutputLostException lost => new UserErrorException(ExitCode.IoError, "STDOUT", lost.Message, lost) { Action = "keep the program that reads the output open, or write to a file" },
        IOException io => FromIo(io),
        // What the runtime makes of EFBIG from a write, without an errno.
        ArgumentOutOfRangeException { ParamName: "value", Source: "System.Private.CoreLib" } => TooLarge(exception),
        _ => null,
    };

    private static UserErrorException FromFormat(CheckpointFormatException format)
    {
        ExitCode exit = format.Error == FormatError.InputChanged
            ? ExitCode.InputChanged
            : format.Error.Kind() switch
            {
                FormatErrorKind.Missing => ExitCode.InputMissing,
                FormatErrorKind.Unsafe => ExitCode.InputUnsafe,
                FormatErrorKind.Unsupported => ExitCode.InputUnsupported,
                FormatErrorKind.Damaged => ExitCode.DataCheckFailed,
                _ => ExitCode.InputMalformed,
            };
        return new UserErrorException(exit, format.Error.Code(), format.Summary, format)
        {
            File = format.File,
            Tensor = format.Tensor,
            Facts = format.Facts,
            Action = format.Action,
        };
    }

    private static UserErrorException FromIo(IOException io)
    {
        int errno = io.HResult;
        return errno switch
        {
            ENOSPC => new UserErrorException(ExitCode.NoSpace, "NOSPACE", $"disk full: {io.Message}", io)
            {
                Action = "free space and run the same command again",
            },
            EDQUOT => new UserErrorException(ExitCode.NoSpace, "NOSPACE", $"disk quota exceeded: {io.Message}", io)
            {
                Action = "free space within the quota and run the same command again",
            },
            EFBIG => TooLarge(io),
            EPERM or EACCES or EROFS or EBUSY => new UserErrorException(ExitCode.OutputRefused, "DENIED", io.Message, io),
            ENOMEM => new UserErrorException(ExitCode.MemoryLimit, "MEMORY", io.Message, io),
            EMFILE or ENFILE => new UserErrorException(ExitCode.MemoryLimit, "DESCRIPTORS", io.Message, io) { Action = "raise ulimit -n" },
            EIO => new UserErrorException(ExitCode.IoError, "IO", $"input/output error: {io.Message}", io),
            _ => new UserErrorException(ExitCode.IoError, "IO", io.Message, io),
        };
    }

    private static UserErrorException TooLarge(Exception cause) => new(
        ExitCode.NoSpace, "FILE-TOO-LARGE", $"the file system, or a limit of the process, refuses files this large: {cause.Message}", cause)
    {
        Action = "use a smaller --max-shard-size",
    };
}
