using System.Text.RegularExpressions;
using Bnb.Cli.Errors;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

/// <summary>Every error ends with one thing to do.</summary>
public sealed partial class NextStepTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Exit_OfEveryFailure_HasANextStep() =>
        Assert.All(Enum.GetValues<ExitCode>().Except([ExitCode.Done, ExitCode.Differs]), exit => Assert.NotNull(NextStep.For(exit)));

    [Theory]
    [InlineData("dequantize", "MODEL", "--output", "out")]
    [InlineData("verify", "MODEL", "--source", "MODEL")]
    [InlineData("verify", "MODEL", "--manifest")]
    [InlineData("lint", "MODEL")]
    [InlineData("explain", "MODEL", "no.such.*")]
    [InlineData("explain", "no-such-folder")]
    [InlineData("inspect", "no-such/model")]
    [InlineData("inspect", "EMPTY")]
    [InlineData("quantize", "MODEL", "--output", "MODEL")]
    [InlineData("quantize", "MODEL", "--output", "no/such/parent")]
    [InlineData("quantize", "MODEL", "--output", "out", "--merge-lora", "EMPTY")]
    [InlineData("quantize", "MODEL", "--output", "out", "--max-memory", "2KiB")]
    [InlineData("quantize", "MODEL", "--output", "out", "--device", "cuda:99")]
    [InlineData("quantize", "MODEL", "--output", "out", "--config", "EMPTY")]
    [InlineData("quantize", "MODEL", "--output", "out", "--log-file", "EMPTY")]
    [InlineData("plan", "MODEL", "--target-bits", "1")]
    [InlineData("init", "MODEL", "--output", "EMPTY")]
    [InlineData("finish", "EMPTY")]
    [InlineData("evaluate", "MODEL", "--source", "MODEL")]
    [InlineData("demo", "MODEL")]
    [InlineData("completion", "tcsh")]
    public void Run_ThatFails_SaysWhatToDo(params string[] args)
    {
        VerifyModel.Source(_temp["MODEL"]);
        Directory.CreateDirectory(_temp["EMPTY"]);

        ToolRun run = ToolRun.Of([.. args.Select(word => word is "MODEL" or "EMPTY" or "out" or "no/such/parent" ? _temp[word] : word)]);

        Assert.NotEqual(ExitCode.Done, run.Exit);
        Assert.Single(Step().Matches(run.Error));
    }

    [GeneratedRegex(@"^  do +\S", RegexOptions.Multiline)]
    private static partial Regex Step();
}
