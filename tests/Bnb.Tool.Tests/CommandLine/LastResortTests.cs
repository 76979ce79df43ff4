using Bnb.Cli.Errors;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

/// <summary>What no code expects: it ends like an error all the same, or does not end the run at all.</summary>
public sealed class LastResortTests
{
    [Fact]
    public void Report_ExceptionThatNobodyCaught_IsAnErrorWithItsTypeAndNoStack()
    {
        var terminal = new FakeTerminal();

        ExitCode exit = LastResort.Report(new AggregateException(new InvalidCastException("a \u001b[31mred\u001b[0m one")), terminal, json: true);

        Assert.Equal(ExitCode.InternalError, exit);
        Assert.Equal(
            "error[INTERNAL]: InvalidCastException: a \\x1b[31mred\\x1b[0m one\n  do  this is a bug: report it with a --log-file\nthe same command goes on from what is finished\n",
            terminal.ErrorText);
        Assert.StartsWith("""{"type":"exit","code":1,"error":"INTERNAL",""", terminal.OutText, StringComparison.Ordinal);
    }

    [Fact]
    public void Report_AFaultOfTheMachine_HasItsOwnCode() =>
        Assert.Equal(ExitCode.NoSpace, LastResort.Report(new IOException("full", 28), new FakeTerminal(), json: false));

    [Fact]
    public void Close_LogWhoseLastLinesFindNoRoom_IsNoError()
    {
        var sink = new FullSink();

        Talk.Close(new LoggerConfiguration().WriteTo.Sink(sink).CreateLogger());

        Assert.True(sink.IsDisposed);
    }

    [Fact]
    public void Refusal_MachineOfTheOtherByteOrder_IsUnsupported()
    {
        Assert.Null(ByteOrder.Refusal(isLittleEndian: true));
        UserErrorException refused = Assert.IsType<UserErrorException>(ByteOrder.Refusal(isLittleEndian: false));
        Assert.Equal(ExitCode.InputUnsupported, refused.Exit);
        Assert.NotNull(refused.Action);
    }

    [Fact]
    public void Progress_DisplayThatFails_IsAWarningAndNoEnd()
    {
        var terminal = new FakeTerminal();
        using var shown = new SemaphoreSlim(0);

        using (new ProgressThread(terminal, TimeSpan.FromMilliseconds(1), Fail)) shown.Wait(TestContext.Current.CancellationToken);

        Assert.Equal("warning: progress is not shown any more: NotSupportedException: no screen\n", terminal.ErrorText.ReplaceLineEndings("\n"));

        void Fail()
        {
            shown.Release();
            throw new NotSupportedException("no screen");
        }
    }

    private sealed class FullSink : ILogEventSink, IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Emit(LogEvent logEvent)
        {
        }

        public void Dispose()
        {
            IsDisposed = true;
            throw new IOException("full", 28);
        }
    }
}
