using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Tokens;
using Bnb.Engine.Sampling;
using Bnb.Formats.Gguf;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>What the options of <c>evaluate</c> do, one by one, and how each is refused.</summary>
public sealed class EvaluateOptionTests(EvaluateOptionTests.Model model) : IClassFixture<EvaluateOptionTests.Model>, IDisposable
{
    private const string Text = "The quick brown fox jumps over the lazy dog, and then it does so once more. ";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Evaluate_TextWithTokensAndContext_IsThatOfTheTokensCutSo()
    {
        string text = Written("text.txt", string.Concat(Enumerable.Repeat(Text, 20)));
        int[] tokens = TextTokenizer.Open(model.Source).Encode(File.ReadAllText(text));
        string ids = Ids("ids", [2, 48], [.. tokens.Take(96).Select(id => (long)id)]);

        string ofText = Figures("--text", text, "--tokens", "96", "--context", "48");

        Assert.Equal(Figures("--ids", ids), ofText);
        Assert.Contains("\"tokens\":96,\"contexts\":2", ofText, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_TextOfFewTokens_TakesAllOfThem()
    {
        string text = Written("text.txt", Text);
        int tokens = TextTokenizer.Open(model.Source).Encode(Text).Length;

        Assert.Equal(tokens, Json("--text", text).GetProperty("tokens").GetInt32());
    }

    [Theory]
    [InlineData("missing", null, (int)ExitCode.InputMissing, "TEXT")]
    [InlineData("latin1", "\u00e4\u00f6", (int)ExitCode.InputMalformed, "TEXT")]
    [InlineData("empty", "", (int)ExitCode.InputMalformed, "TOKENS")]
    public void Evaluate_TextThatCannotBeUsed_IsRefusedWithAWayOut(string name, string? content, int exit, string code)
    {
        string path = _folder[name];
        if (content is not null) File.WriteAllBytes(path, Encoding.Latin1.GetBytes(content));

        ToolRun run = Run("--text", path);

        Refusal.AssertIs(run, (ExitCode)exit, code);
        Assert.Contains(path, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.Split('\n'), line => line.TrimStart().StartsWith("do ", StringComparison.Ordinal));
    }

    [Fact]
    public void Evaluate_IdsOf32Bit_AreThoseOf64()
    {
        long[] tokens = [.. Enumerable.Range(0, 64).Select(i => i * 7L % 512)];
        string wide = Ids("wide", [2, 32], tokens);
        File.WriteAllBytes(_folder["narrow.safetensors"], CheckpointBuilder.Safetensors(
            new TestTensor("input_ids", "I32", [2, 32], [.. tokens.SelectMany(token => BitConverter.GetBytes((int)token))])));

        Assert.Equal(Figures("--ids", wide), Figures("--ids", _folder["narrow.safetensors"]));
    }

    [Fact]
    public void Evaluate_IdsWithTokens_TakesTheFirstContexts()
    {
        long[] tokens = [.. Enumerable.Range(0, 96).Select(i => i * 11L % 512)];

        string cut = Figures("--ids", Ids("all", [3, 32], tokens), "--tokens", "64");

        Assert.Equal(Figures("--ids", Ids("two", [2, 32], tokens[..64])), cut);
    }

    [Theory]
    [InlineData("F32", new long[] { 2, 8 }, "input_ids", 3, "is F32")]
    [InlineData("I64", new long[] { 16 }, "input_ids", 3, "is [16]")]
    [InlineData("I64", new long[] { 16, 1 }, "input_ids", 3, "is [16, 1]")]
    [InlineData("I64", new long[] { 2, 8 }, "tokens", 3, "there is no tensor input_ids")]
    [InlineData("I64", new long[] { 2, 8 }, "input_ids", -3, "is -3")]
    [InlineData("I64", new long[] { 2, 8 }, "input_ids", 1L << 40, "is 1099511627776")]
    public void Evaluate_IdsThatAreNoRowsOfTokens_AreRefusedWithWhatWasFound(string dtype, long[] shape, string name, long token, string found)
    {
        int count = (int)shape.Aggregate((product, dimension) => product * dimension);
        byte[] data = [.. Enumerable.Repeat(token, count).SelectMany(value => dtype == "F32" ? BitConverter.GetBytes((float)value) : BitConverter.GetBytes(value))];
        File.WriteAllBytes(_folder["ids.safetensors"], CheckpointBuilder.Safetensors(new TestTensor(name, dtype, shape, data)));

        ToolRun run = Run("--ids", _folder["ids.safetensors"]);

        Refusal.AssertIs(run, ExitCode.InputMalformed, "IDS");
        Assert.Contains(found, run.Error, StringComparison.Ordinal);
        Assert.Contains("write the token numbers of each context as one row", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_IdsFileThatIsMissing_IsRefused() => Refusal.AssertIs(Run("--ids", _folder["none.safetensors"]), ExitCode.InputMissing, "FILE-MISSING");

    [Theory]
    [InlineData("--tokens", "1")]
    [InlineData("--context", "1")]
    [InlineData("--tokens", "many")]
    [InlineData("--max-kl", "0")]
    [InlineData("--max-kl", "NaN")]
    [InlineData("--max-perplexity-ratio", "-1")]
    [InlineData("--compute-dtype", "int8")]
    [InlineData("--ids", "i.safetensors", "--context", "8")]
    [InlineData("--report", "r.pdf")]
    [InlineData("--save-importance", "i.dat")]
    public void Evaluate_OptionsThatCannotBe_AreUsageErrors(params string[] options) => Refusal.AssertIs(Run(options), ExitCode.Usage, "USAGE");

    [Fact]
    public void Evaluate_WithinTheLimits_Passes()
    {
        ToolRun run = Run("--tokens", "60", "--max-kl", "10", "--max-perplexity-ratio", "2", "--json", "--report", _folder["r.html"], "--report", _folder["r.xml"]);

        Assert.Equal(ExitCode.Done, run.Exit);
        Assert.Empty(JsonResult.Of(run).GetProperty("exceeded").EnumerateArray());
        Assert.Equal("0", XDocument.Load(_folder["r.xml"]).Root!.Element("testsuite")!.Attribute("failures")!.Value);
        Assert.DoesNotContain("FAILED", File.ReadAllText(_folder["r.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_BeyondBothLimits_NamesBoth()
    {
        ToolRun run = Run("--tokens", "60", "--max-kl", "1e-12", "--max-perplexity-ratio", "0.5", "--json", "--report", _folder["r.xml"]);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        string[] exceeded = [.. JsonResult.Of(run).GetProperty("exceeded").EnumerateArray().Select(text => text.GetString()!)];
        Assert.Equal(2, exceeded.Length);
        Assert.All(exceeded, text => Assert.Contains(text, XDocument.Load(_folder["r.xml"]).Descendants("failure").Single().Value, StringComparison.Ordinal));
    }

    /// <summary>Both forms hold the same means, name every weight that is quantized, and weigh alike.</summary>
    [Fact]
    public void Evaluate_SaveImportance_ComesBackThroughQuantizeInBothForms()
    {
        Run("--tokens", "128", "--save-importance", _folder["i.safetensors"]);
        Run("--tokens", "128", "--save-importance", _folder["i.gguf"]);
        ImportanceMatrix matrix = ImportanceMatrix.Read(_folder["i.gguf"]);
        byte[] file = File.ReadAllBytes(_folder["i.safetensors"]);
        int header = BitConverter.ToInt32(file);
        int compared = 0;
        foreach (JsonProperty vector in JsonElement.Parse(file.AsSpan(8, header)).EnumerateObject().Where(member => member.Name != "__metadata__"))
        {
            int[] offsets = [.. vector.Value.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt32())];
            float[] means = MemoryMarshal.Cast<byte, float>(file.AsSpan(8 + header + offsets[0], offsets[1] - offsets[0])).ToArray();
            float[] found = matrix.For(vector.Name, means.Length)!;
            // A sum is rounded to float32, and its quotient once more.
            Assert.All(means.Zip(found), pair => Assert.InRange(pair.Second, pair.First * (1 - 2e-7f), pair.First * (1 + 2e-7f)));
            compared++;
        }

        Assert.Equal(14, compared);
        foreach (string form in (string[])["i.safetensors", "i.gguf"])
        {
            ToolRun run = ToolRun.Succeed("quantize", model.Source, "--output", _folder["out-" + form], "--scale", "search", "--importance", _folder[form]);
            Assert.DoesNotContain("says nothing", run.Error, StringComparison.Ordinal);
            ToolRun.Succeed("verify", _folder["out-" + form], "--source", model.Source, "--importance", _folder[form]);
        }
    }

    [Fact]
    public void Evaluate_UpdateCard_WritesTheFiguresAndKeepsTheManifestTrue()
    {
        string output = Made();
        string before = Card(output);

        Evaluated(output, "--update-card");
        string once = Card(output);
        Evaluated(output, "--update-card");

        Assert.Equal(once, Card(output));
        Assert.Contains("<!-- bnb:evaluate -->\n## Evaluated beside the original\n", once, StringComparison.Ordinal);
        Assert.Contains("| tokens | 60 in 1 contexts |\n| perplexity | ", once, StringComparison.Ordinal);
        Assert.Contains("| text | the sample text |\n", once, StringComparison.Ordinal);
        Assert.DoesNotContain(_folder.Path, once, StringComparison.Ordinal);
        int begin = once.IndexOf("\n<!-- bnb:evaluate", StringComparison.Ordinal), end = once.IndexOf("/bnb:evaluate -->\n", StringComparison.Ordinal) + "/bnb:evaluate -->\n".Length;
        Assert.Equal(before, once[..begin] + once[end..]);
        ToolRun.Succeed("verify", output, "--manifest");
    }

    [Fact]
    public void Evaluate_UpdateCardBesideThatOfVerify_KeepsBothSections()
    {
        string output = Made();
        ToolRun.Succeed("verify", output, "--source", model.Source, "--update-card");

        Evaluated(output, "--update-card");

        Assert.Contains("<!-- bnb:verify -->\n", Card(output), StringComparison.Ordinal);
        Assert.Contains("<!-- bnb:evaluate -->\n", Card(output), StringComparison.Ordinal);
        ToolRun.Succeed("verify", output, "--manifest");
    }

    [Fact]
    public void Evaluate_UpdateCardOfATextWithMarkupInItsName_IsOneCell()
    {
        string output = Made(), text = Written("a|b<i>.txt", Text);

        Evaluated(output, "--update-card", "--text", text);

        string line = Card(output).Split('\n').Single(line => line.StartsWith("| text | ", StringComparison.Ordinal));
        Assert.DoesNotContain("a|b", line, StringComparison.Ordinal);
        Assert.DoesNotContain("<i>", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_UpdateCardOfARunThatFails_LeavesItAndSaysSo()
    {
        string output = Made(), before = Card(output);

        ToolRun run = ToolRun.Of("evaluate", output, "--source", model.Source, "--tokens", "60", "--update-card", "--max-kl", "1e-12");

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains("warning: the model card stays as it was", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, Card(output));
    }

    private static string Card(string output) => File.ReadAllText(Path.Combine(output, "README.md"));

    private string Made()
    {
        ToolRun.Succeed("quantize", model.Source, "--output", _folder["made"]);
        return _folder["made"];
    }

    private void Evaluated(string output, params IReadOnlyList<string> options) =>
        ToolRun.Succeed(["evaluate", output, "--source", model.Source, "--tokens", "60", .. options]);

    private ToolRun Run(params IReadOnlyList<string> options) => ToolRun.Of(["evaluate", model.Quantized, "--source", model.Source, .. options]);

    private JsonElement Json(params IReadOnlyList<string> options) => JsonResult.Of(Run([.. options, "--json"]));

    /// <summary>The line without the time.</summary>
    private string Figures(params IReadOnlyList<string> options)
    {
        string line = Run([.. options, "--json"]).Out.Split('\n')[0];
        return line[..line.IndexOf("\"seconds\"", StringComparison.Ordinal)];
    }

    private string Written(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        return _folder[name];
    }

    private string Ids(string name, long[] shape, long[] tokens)
    {
        string path = _folder[name + ".safetensors"];
        File.WriteAllBytes(path, CheckpointBuilder.Safetensors(new TestTensor("input_ids", "I64", shape, MemoryMarshal.AsBytes(tokens.AsSpan()).ToArray())));
        return path;
    }

    /// <summary>The sample model and its nf4 form.</summary>
    public sealed class Model : IDisposable
    {
        private readonly TempFolder _folder = new();

        public Model()
        {
            SampleCheckpoint.Small.Write(Source);
            File.WriteAllText(Path.Combine(Source, "README.md"), "# Tiny\n\nIts text.\n");
            ToolRun.Succeed("quantize", Source, "--output", Quantized);
        }

        public string Source => _folder["source"];

        public string Quantized => _folder["nf4"];

        public void Dispose() => _folder.Dispose();
    }
}
