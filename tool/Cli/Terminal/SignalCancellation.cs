using System.Runtime.InteropServices;
using Bnb.Engine.Errors;

namespace Bnb.Cli.Terminal;

/// <summary>
/// INT, TERM and HUP cancel one token, so that the run can clean up; a second signal leaves at once. SIGXFSZ is ignored so
/// that a file size limit arrives as an error of the write and not as the end of the process.
/// </summary>
internal sealed class SignalCancellation : IDisposable
{
    private const PosixSignal FileSizeExceeded = (PosixSignal)25;

    private readonly CancellationTokenSource _cancellation = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _count;

    /// <param name="listen">False in tests, which cancel by <see cref="Cancel"/>.</param>
    public SignalCancellation(bool listen)
    {
        if (!listen) return;
        Register(PosixSignal.SIGINT, ExitCode.Interrupted);
        Register(PosixSignal.SIGTERM, ExitCode.Terminated);
        Register(PosixSignal.SIGHUP, ExitCode.Hangup);
        if (OperatingSystem.IsLinux())
            _registrations.Add(PosixSignalRegistration.Create(FileSizeExceeded, signal => signal.Cancel = true));
    }

    public CancellationToken Token => _cancellation.Token;

    /// <summary>The exit code that belongs to the signal that came first.</summary>
    public ExitCode Exit { get; private set; } = ExitCode.Interrupted;

    public void Cancel(ExitCode exit)
    {
        Exit = exit;
        _cancellation.Cancel();
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
        _cancellation.Dispose();
    }

    private void Register(PosixSignal signal, ExitCode exit) => _registrations.Add(PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _count) > 1) Environment.Exit((int)exit);
        Cancel(exit);
    }));
}
