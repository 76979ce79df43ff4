using System.Text;
using Bnb.Engine.Errors;
using Bnb.Engine.Verifying;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verification;

public class PolicyFileTests
{
    private const string Example = """
        {
          "default": { "max_rel_error": 0.12 },
          "rules": [
            { "match": "*.mlp.*", "min_snr": 18 },
            { "match": "*.mlp.down_proj.weight", "max_rel_error": 0.15, "max_kernel_error": 5e-3, "max_code_diffs": 0 },
            { "match": "lm_head", "min_snr": -3.5 }
          ]
        }
        """;

    [Fact]
    public void For_SeveralMatches_TheLastRuleDecidesAndTheDefaultFillsIn()
    {
        PolicyFile policy = Read(Example);

        Assert.Equal(new Thresholds(0.15, null, 0.005, 0), policy.For("model.layers.0.mlp.down_proj.weight"));
        Assert.Equal(new Thresholds(0.12, 18, null, null), policy.For("model.layers.0.mlp.up_proj.weight"));
        Assert.Equal(new Thresholds(0.12, -3.5, null, null), policy.For("lm_head.weight"));
        Assert.Equal(new Thresholds(0.12, null, null, null), policy.For("anything"));
    }

    [Fact]
    public void For_EmptyPolicy_IsTheory() => Assert.Equal(Thresholds.FromTheory, Read("{}").For("x.weight"));

    [Fact]
    public void Unmatched_PatternsWithoutLayer_AreNamed() =>
        Assert.Equal(["*.mlp.down_proj.weight", "lm_head"], Read(Example).Unmatched(["model.layers.0.mlp.up_proj.weight"]));

    [Fact]
    public void Read_ByteOrderMark_IsPassedOver() => Assert.Equal(0.12, Read("\uFEFF" + Example).For("x").MaxRelativeError);

    [Theory]
    [InlineData("""{"defualt":{}}""", "defualt", "default?")]
    [InlineData("""{"rules":[{"match":"a","min_snr":1},{"match":"a","max_rel_eror":1}]}""", "rules[1].max_rel_eror", "max_rel_error?")]
    [InlineData("""{"default":{"match":"*"}}""", "default.match", "max_rel_error")]
    [InlineData("""{"rules":{}}""", "rules", "array")]
    [InlineData("""{"rules":[1]}""", "rules[0]", "object")]
    [InlineData("""{"rules":[{"min_snr":1}]}""", "rules[0].match", "pattern")]
    [InlineData("""{"rules":[{"match":"","min_snr":1}]}""", "rules[0].match", "1 to 1000")]
    [InlineData("""{"rules":[{"match":7,"min_snr":1}]}""", "rules[0].match", "string")]
    [InlineData("""{"rules":[{"match":"a"}]}""", "rules[0]", "max_rel_error")]
    [InlineData("""{"default":{"max_rel_error":-0.1}}""", "default.max_rel_error", "0 or more")]
    [InlineData("""{"default":{"max_rel_error":"0.1"}}""", "default.max_rel_error", "0 or more")]
    [InlineData("""{"default":{"max_rel_error":null}}""", "default.max_rel_error", "0 or more")]
    [InlineData("""{"default":{"max_rel_error":1e999}}""", "default.max_rel_error", "0 or more")]
    [InlineData("""{"default":{"max_code_diffs":1.5}}""", "default.max_code_diffs", "whole")]
    [InlineData("""{"default":{"max_code_diffs":-1}}""", "default.max_code_diffs", "whole")]
    [InlineData("""{"default":{"min_snr":1,"min_snr":2}}""", "default.min_snr", "once")]
    public void Read_WrongMember_NamesItAndWhatIsExpected(string json, string member, string expected)
    {
        UserErrorException error = Refused(json);

        Assert.Contains(("member", member), error.Facts);
        Assert.Contains(error.Facts, fact => fact.Label == "expected" && fact.Value.Contains(expected, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{} {}")]
    [InlineData("{\"rules\":[],}")]
    [InlineData("{/* no */}")]
    [InlineData("{\"rules\":[{\"match\":\"\\ud800\",\"min_snr\":1}]}")]
    [InlineData("{\"\\ud800\":1}")]
    public void Read_NotAPolicy_IsAUsageError(string json) => Refused(json);

    [Fact]
    public void Read_DeepLongMissingOrFolder_IsAUsageError()
    {
        Refused(new string('[', 100_000));
        Assert.Contains("too long", Refused(new string(' ', 1_000_001)).Summary, StringComparison.Ordinal);
        using var folder = new TempFolder();
        Assert.Contains("no such file", Refuse(folder["absent.json"]).Summary, StringComparison.Ordinal);
        Assert.Contains("folder", Refuse(folder.Path).Summary, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_TooManyRules_IsAUsageError() =>
        Refused($"{{\"rules\":[{string.Join(',', Enumerable.Repeat("""{"match":"a","min_snr":1}""", 1001))}]}}");

    private static PolicyFile Read(string json)
    {
        using var folder = new TempFolder();
        return PolicyFile.Read(folder.Write("policy.json", Encoding.UTF8.GetBytes(json)));
    }

    private static UserErrorException Refused(string json)
    {
        using var folder = new TempFolder();
        return Refuse(folder.Write("policy.json", Encoding.UTF8.GetBytes(json)));
    }

    private static UserErrorException Refuse(string path)
    {
        var error = Assert.Throws<UserErrorException>(() => PolicyFile.Read(path));
        Assert.Equal((ExitCode.Usage, PolicyFile.ErrorCode, path), (error.Exit, error.Code, error.File));
        return error;
    }
}
