using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

/// <summary>A near miss is refused with what was meant.</summary>
public sealed class SuggestionTests
{
    [Theory]
    [InlineData("did you mean quantize?", "quant", "model")]
    [InlineData("did you mean quantize?", "convert", "model", "--output", "out")]
    [InlineData("did you mean verify?", "check", "model")]
    [InlineData("did you mean diff?", "compare", "a", "b")]
    [InlineData("did you mean inspect?", "info", "model")]
    [InlineData("did you mean inspect?", "inspct", "model")]
    [InlineData("did you mean --output?", "quantize", "model", "--out", "x")]
    [InlineData("did you mean --output?", "quantize", "model", "--output_dir", "x")]
    [InlineData("did you mean --output out?", "quantize", "model", "out")]
    [InlineData("did you mean --output out?", "dequantize", "model", "out")]
    [InlineData("did you mean --type nf4 for 4 bits", "quantize", "model", "--output", "x", "--bits", "4")]
    [InlineData("did you mean --type int8?", "quantize", "model", "--output", "x", "--dtype", "int8")]
    [InlineData("did you mean --type nf4?", "quantize", "model", "--output", "x", "--load_in_4bit")]
    [InlineData("did you mean --overwrite?", "quantize", "model", "--output", "x", "--force")]
    [InlineData("did you mean --block-size?", "quantize", "model", "--output", "x", "--blocksize", "64")]
    [InlineData("did you mean nf4?", "quantize", "model", "--output", "x", "--type", "NF4")]
    [InlineData("did you mean nf4?", "quantize", "model", "--output", "x", "--type", "4bit")]
    [InlineData("did you mean bfloat16?", "quantize", "model", "--output", "x", "--compute-dtype", "bf16")]
    [InlineData("did you mean true?", "quantize", "model", "--output", "x", "--double-quant", "yes")]
    [InlineData("did you mean false?", "quantize", "model", "--output", "x", "--double-quant", "no")]
    [InlineData("write 1GB for powers of 1000 or 1GiB for powers of 1024", "quantize", "model", "--output", "x", "--max-memory", "1G")]
    [InlineData("for 12 % write 0.12", "verify", "a", "--source", "b", "--max-rel-error", "12")]
    [InlineData("for 12 % write 0.12", "verify", "a", "--source", "b", "--max-rel-error", "12%")]
    [InlineData("for 12 % write 0.12", "verify", "a", "--source", "b", "--max-rel-error", "12 %")]
    [InlineData("for 0.5 % write 0.005", "verify", "a", "--source", "b", "--max-kernel-error", "0.5%")]
    [InlineData("did you mean int8?", "quantize", "model", "--output", "x", "--type", "INT8")]
    [InlineData("did you mean verify?", "help", "verfy")]
    [InlineData("did you mean quantize?", "help", "quant")]
    [InlineData("did you mean quantize?", "convert", "--help")]
    [InlineData("24 bytes; did you mean 24GB, or 24GiB?", "inspect", "model", "--fits", "24")]
    [InlineData("24.5 bytes; did you mean 24.5GB, or 24.5GiB?", "inspect", "model", "--fits", "24.5")]
    [InlineData("write 24GB for powers of 1000 or 24GiB", "inspect", "model", "--fits", "24G")]
    [InlineData("did you mean --type nf4 for 4 bits", "quantize", "model", "--output", "x", "--bits=4")]
    [InlineData("did you mean nf4?", "quantize", "model", "--output", "x", "--type", "q4")]
    [InlineData("did you mean --source b?", "verify", "a", "b")]
    [InlineData("did you mean --source b?", "evaluate", "a", "b")]
    [InlineData("did you mean vllm?", "lint", "a", "--for", "VLLM")]
    [InlineData("did you mean transformers5?", "quantize", "model", "--output", "x", "--loads-in", "transformers")]
    [InlineData("did you mean cuda?", "quantize", "model", "--output", "x", "--device", "gpu")]
    [InlineData("did you mean --version?", "-v")]
    [InlineData("for a share of 0.9 write 90%", "quantize", "model", "--output", "x", "--min-coverage", "0.9")]
    [InlineData("write 8000, or 8192", "inspect", "model", "--fits", "24GB", "--context", "8k")]
    [InlineData("--dry-run shows what would be done", "quantize", "model")]
    [InlineData("a whole number from 0 to 18446744073709551615", "verify", "a", "--source", "b", "--seed", "-1")]
    [InlineData("--context needs --fits", "inspect", "model", "--context", "4096")]
    [InlineData("--fits needs --dry-run", "quantize", "model", "--output", "x", "--fits", "24GiB")]
    [InlineData("not --target-bits and --max-error: keep the one", "plan", "model", "--target-bits", "5", "--max-error", "0.1")]
    [InlineData("did you mean --type nf4 for 4 bits", "quantize", "model", "--output", "x", "-b", "4")]
    [InlineData("did you mean -o?", "quantize", "model", "-O", "x")]
    [InlineData("did you mean --double-quant false?", "quantize", "model", "--output", "x", "--no-double-quant")]
    [InlineData("did you mean the command without --overwrite?", "quantize", "model", "--output", "x", "--no-overwrite")]
    [InlineData("did you mean --type?", "quantize", "model", "--output", "x", "--bnb_4bit_quant_type", "nf4")]
    [InlineData("did you mean --double-quant?", "quantize", "model", "--output", "x", "--bnb_4bit_use_double_quant")]
    [InlineData("did you mean --exclude?", "quantize", "model", "--output", "x", "--llm_int8_skip_modules", "lm_head")]
    [InlineData("did you mean nf4?", "quantize", "model", "--output", "x", "--type", "nf")]
    [InlineData("did you mean fp8?", "quantize", "model", "--output", "x", "--type", "fp8_e4m3")]
    [InlineData("it takes one of nf4, fp4", "quantize", "model", "--output", "x", "--type", "nf4,int8")]
    [InlineData("--double-quant needs a value before '--dry-run': true, false", "quantize", "model", "--output", "x", "--double-quant", "--dry-run")]
    [InlineData("did you mean the command without it: no code of a model is ever run?", "quantize", "model", "--output", "x", "--trust-remote-code")]
    [InlineData("did you mean a size without a space, as 5GB?", "quantize", "model", "--output", "x", "--max-shard-size", "5", "GB")]
    [InlineData("--for is an option of lint; see", "quantize", "model", "--output", "x", "--for", "vllm")]
    [InlineData("--seed is an option of verify; see", "quantize", "model", "--output", "x", "--seed", "1")]
    [InlineData("--version is an option of dotnet bnb itself; see", "quantize", "model", "--version")]
    [InlineData("give --output once; see", "quantize", "model", "--output", "x", "--output", "y")]
    [InlineData("quantize takes one path; one with spaces needs quotes", "quantize", "my", "model", "--output", "x")]
    [InlineData("diff takes 2 paths", "diff", "a", "b", "c")]
    [InlineData("--json is an option of commands: give one first", "--json")]
    [InlineData("did you mean pwsh?", "completion", "powershell")]
    [InlineData("for 2 % more write 1.02", "evaluate", "a", "--source", "b", "--max-perplexity-ratio", "2%")]
    [InlineData("plan needs a goal: --target-size, --target-bits or --max-error", "plan", "model")]
    public void Run_NearMiss_SaysWhatWasMeant(string said, params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        Refusal.AssertIs(run, ExitCode.Usage, "USAGE");
        Assert.Contains(said, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("quantize", "model", "--output", "x", "--block-size", "63")]
    [InlineData("quantize", "model", "--output", "x", "--type", "banana")]
    [InlineData("banana")]
    public void Run_FarMiss_GuessesNothing(params string[] args) =>
        Assert.DoesNotContain("did you mean", ToolRun.Of(args).Error, StringComparison.Ordinal);

    [Fact]
    public void Help_AsACommand_IsThatOfTheCommand()
    {
        Assert.Equal(ToolRun.Succeed("quantize", "--help").Out, ToolRun.Succeed("help", "quantize").Out);
        Assert.Equal(ToolRun.Succeed("--help").Out, ToolRun.Succeed("help").Out);
        Assert.Equal(ToolRun.Succeed("--help").Out, ToolRun.Succeed("help", "help").Out);
    }

    [Theory]
    [InlineData("help", "nothing")]
    [InlineData("nothing", "--help")]
    [InlineData("nothing", "-h", "--json")]
    public void Help_OfNoCommand_IsRefused(params string[] args) => Refusal.AssertIs(ToolRun.Of(args), ExitCode.Usage, "USAGE");

    [Fact]
    public void Help_OfEveryCommand_EndsWithExamplesThatParse()
    {
        var terminal = new FakeTerminal();
        using var signals = new SignalCancellation(listen: false);
        var root = Application.CreateRoot(new CommandHost(terminal, signals), terminal);
        foreach (string name in root.Subcommands.Select(command => command.Name).Prepend(""))
        {
            IReadOnlyList<string> lines = Examples.Of(name);
            string help = ToolRun.Succeed(name.Length == 0 ? ["--help"] : [name, "--help"]).Out;
            Assert.True(lines.Count > 0, $"{name} has no example");
            Assert.All(lines, line => Assert.Contains($"\n  {line}\n", help, StringComparison.Ordinal));
            foreach (string line in lines)
            {
                Assert.StartsWith("dotnet bnb ", line, StringComparison.Ordinal);
                var parsed = root.Parse([.. line.Split(' ').Skip(2).TakeWhile(static word => word != ">").Select(word => word.Trim('\''))]);
                Assert.True(parsed.Errors.Count == 0, $"{line}: {string.Join("; ", parsed.Errors)}");
            }
        }
    }
}
