using Bnb.Engine.Evaluating.Tokens;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

public class TokenRowsTests
{
    [Fact]
    public void Cut_RestOfOneToken_LeavesItOut()
    {
        TokenRows rows = TokenRows.Cut([5, 6, 7, 8, 9], most: 100, context: 2);

        Assert.Equal([2, 2], rows.Lengths);
        Assert.Equal([5, 6, 7, 8], rows.Ids);
    }

    [Fact]
    public void Targets_TwoContexts_EndWithNone()
    {
        var rows = new TokenRows([5, 6, 7, 8, 9], [2, 3]);

        Assert.Equal([6, -1, 8, 9, -1], rows.Targets);
    }

    [Fact]
    public void Take_FewerThanAll_CutsTheLastContext()
    {
        TokenRows rows = new TokenRows([5, 6, 7, 8, 9, 10, 11, 12], [4, 4]).Take(6);

        Assert.Equal([4, 2], rows.Lengths);
        Assert.Equal([5, 6, 7, 8, 9, 10], rows.Ids);
    }
}
