using System.Text.Json;
using System.Text.Json.Nodes;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Tokens;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>Tokens against those that Hugging Face's tokenizers 0.23.3 gives, exactly.</summary>
public class TokenizerTests
{
    [Theory]
    [InlineData("bytelevel_bpe_llama3")]
    [InlineData("bytelevel_bpe_gpt2")]
    [InlineData("metaspace_bpe_llama2")]
    [InlineData("unigram_t5")]
    [InlineData("wordpiece_bert")]
    public void Encode_GoldenTokenizer_GivesTheTokensOfHuggingFace(string name)
    {
        TextTokenizer tokenizer = TextTokenizer.Open(Golden.File("tokenizers", name));
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Golden.File("tokenizers", name, "expected.json")));
        List<JsonElement> cases = [.. expected.RootElement.GetProperty("cases").EnumerateArray()];

        Assert.True(cases.Count >= 30);
        Assert.All(cases, item => Assert.Equal(
            item.GetProperty("special").GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()),
            tokenizer.Encode(item.GetProperty("text").GetString()!)));
    }

    [Theory]
    [InlineData("bytelevel_bpe_llama3")]
    [InlineData("wordpiece_bert")]
    public void Encode_FileThatKeptTruncationAndPadding_TakesTheWholeText(string name)
    {
        // Trainers save what they last asked for; transformers forgets it with the next call.
        using var temp = new TempFolder();
        JsonNode json = JsonNode.Parse(File.ReadAllText(Golden.File("tokenizers", name, "tokenizer.json")))!;
        json["truncation"] = JsonNode.Parse("""{"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0}""");
        json["padding"] = JsonNode.Parse(
            """{"strategy": {"Fixed": 99}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "a"}""");
        File.WriteAllText(temp["tokenizer.json"], json.ToJsonString());
        string text = string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog, again and again. ", 20));

        Assert.Equal(TextTokenizer.Open(Golden.File("tokenizers", name)).Encode(text), TextTokenizer.Open(temp.Path).Encode(text));
    }

    [Fact]
    public void Open_NoTokenizer_SaysWhatToDo()
    {
        using var temp = new TempFolder();

        var error = Assert.Throws<UserErrorException>(() => TextTokenizer.Open(temp.Path));

        Assert.Equal((ExitCode.InputMissing, "TOKENIZER"), (error.Exit, error.Code));
        Assert.Contains("--ids", error.Action, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"b\"]]}}")]
    [InlineData("not json")]
    public void Open_MalformedTokenizer_IsAnErrorOfTheInput(string json)
    {
        using var temp = new TempFolder();
        File.WriteAllText(temp["tokenizer.json"], json);

        var error = Assert.Throws<UserErrorException>(() => TextTokenizer.Open(temp.Path));

        Assert.Equal((ExitCode.InputMalformed, "TOKENIZER"), (error.Exit, error.Code));
    }

    [Fact]
    public void Read_SampleText_FillsContextsOfTheTrainedTokenizer()
    {
        TokenRows rows = TextSource.Read(null, TextTokenizer.Open(Golden.File("trained")), most: 1000, context: 128);

        Assert.Equal(1000, rows.Ids.Length);
        Assert.Equal([128, 128, 128, 128, 128, 128, 128, 104], rows.Lengths);
    }
}
