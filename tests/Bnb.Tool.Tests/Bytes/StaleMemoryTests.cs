using System.Text.RegularExpressions;
using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Bnb.Tool.Tests.Processes;
using Bnb.Tool.Tests.Sources;
using Xunit;

namespace Bnb.Tool.Tests.Bytes;

/// <summary>No byte of an output comes from memory that was used for something else before.</summary>
public sealed class StaleMemoryTests : IDisposable
{
    /// <summary>Memory of a malloc is filled with the complement of this number's low byte: 0xCD.</summary>
    private const string GlibcFill = "50";

    private readonly TempFolder _folder = new();

    public StaleMemoryTests() => Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sample", "--block-size", "128")]
    [InlineData("sample", "--type", "fp4", "--double-quant", "false")]
    [InlineData("sample", "--type", "int8")]
    [InlineData("sample", "--type", "int4", "--symmetric", "false", "--group-size", "32")]
    [InlineData("sample", "--type", "fp8")]
    [InlineData("sample", "--scale", "search")]
    [InlineData("gptq_awq/gptq", "--non-finite", "keep", "--double-quant", "false")]
    [InlineData("gptq_awq/awq", "--non-finite", "keep", "--double-quant", "false")]
    [InlineData("fp8_block/deepseek_v3", "--non-finite", "keep", "--double-quant", "false")]
    public void QuantizeAndBack_InMemoryThatIsNotEmpty_GiveTheBytesOfAFreshProcess(string from, params string[] options)
    {
        string source = Source(from);
        string[] quantize = ["quantize", source, "--max-shard-size", "100kB", "--threads", "2", "--max-memory", "3MB", .. options];
        Succeed(ToolProcess.Of([.. quantize, "--output", _folder["fresh"]]));
        Succeed(ToolProcess.Of("dequantize", _folder["fresh"], "--output", _folder["fresh-back"]));

        using (new StaleMemory())
        {
            Assert.InRange(StaleMemory.Share(), 0.5, 1);
            ToolRun.Succeed([.. quantize, "--output", _folder["stale"]]);
        }

        using (new StaleMemory()) ToolRun.Succeed("dequantize", _folder["stale"], "--output", _folder["stale-back"], "--max-memory", "3MB");

        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(_folder["stale"]));
        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh-back"]), OutputFolder.Fingerprint(_folder["stale-back"]));
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("int8")]
    public void Verify_InMemoryThatIsNotEmpty_MeasuresTheSame(string type)
    {
        string source = Source("sample");
        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--type", type);
        string[] verify = ["verify", "out", "--source", source, "--threads", "1", "--report"];
        Succeed(ToolProcess.In(_folder.Path, [], [.. verify, "fresh.json"]));

        Succeed(ToolProcess.In(_folder.Path, [KeyValuePair.Create("MALLOC_PERTURB_", GlibcFill)], [.. verify, "stale.json"]));

        Assert.Equal(Figures("fresh.json"), Figures("stale.json"));
    }

    private static void Succeed(ToolRun run) => Assert.True(run.Exit == ExitCode.Done, $"{run.Exit}: {run.Error}");

    private string Figures(string report)
    {
        string text = Regex.Replace(File.ReadAllText(_folder[report]), "\"seconds\":[^,}]*", "");
        return text[text.IndexOf("\"layers\":", StringComparison.Ordinal)..];
    }

    private string Source(string from)
    {
        if (from != "sample") return GoldenSource.Copy(_folder, "source", from, from.StartsWith("fp8", StringComparison.Ordinal) ? "model.safetensors" : "tensors.safetensors");
        // Widths that no block and no vector divides.
        new SampleCheckpoint(1, 128, 300).Write(_folder["source"]);
        return _folder["source"];
    }
}
