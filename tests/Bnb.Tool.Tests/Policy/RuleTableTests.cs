using System.Reflection;
using System.Text.RegularExpressions;
using Bnb.Engine.Policy.Names;
using Bnb.Tool.Tests.Docs;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

/// <summary>docs/modules.md explains every rule id that a report can show.</summary>
public partial class RuleTableTests
{
    private static readonly Document Modules = Document.Read("docs/modules.md");

    [Fact]
    public void RuleIds_OfTheCode_AreExplained()
    {
        string section = string.Join('\n', Modules.Section("## The decision"));

        Assert.NotEmpty(InCode());
        Assert.All(InCode(), rule => Assert.Contains($"`{rule}`", section, StringComparison.Ordinal));
    }

    [Fact]
    public void RuleTable_NamesOnlyRulesOfTheCode() => Assert.All(
        Document.Rows(Modules.Section("## The decision")).Where(static row => row[0].StartsWith('`')),
        row => Assert.Contains(row[0].Split(' ')[0].Trim('`'), InCode()));

    [Fact]
    public void Int8Names_InTheTable_AreOnTheAllowList()
    {
        IEnumerable<string> names = Document.Rows(Modules.Section("## LLM.int8()"))
            .SelectMany(static row => Name().Matches(row[0]).Select(static match => match.Groups[1].Value));

        // `net` is the parent of a numbered layer, and `dense…` a beginning.
        Assert.All(names.Except(["net"]).Select(static name => name.TrimEnd('…')), static name => Assert.True(LeafNames.IsKnownLinear(new ModuleName(name)), name));
    }

    [Theory]
    [InlineData("in_proj")]
    [InlineData("x_proj")]
    [InlineData("dt_proj")]
    [InlineData("kv_b_proj")]
    [InlineData("0")]
    [InlineData("q_proj\n")]
    [InlineData("Query")]
    [InlineData("")]
    public void Int8Names_OfWeightsReadDirectly_AreNotOnTheAllowList(string leaf) =>
        Assert.False(LeafNames.IsKnownLinear(new ModuleName("layers." + leaf)));

    private static string[] InCode() => [.. typeof(RuleIds)
        .GetFields(BindingFlags.Public | BindingFlags.Static).Select(static field => (string)field.GetRawConstantValue()!)];

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Name();
}
