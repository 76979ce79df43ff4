using Bnb.Quant.Codes;
using Bnb.Quant.Search;

namespace Bnb.Quant.Tests.Search;

/// <summary>What the search knows of a data type is what the data type does.</summary>
public class SearchTableTests
{
    [Fact]
    public void Nearest_Nf4AroundItsBounds_IsItsOwnDecision() => SearchTables.AssertAgree<CodeTable<Nf4>>(Nf4.Thresholds.ToArray());

    [Fact]
    public void Nearest_Fp4AroundItsBounds_IsItsOwnDecision() =>
        SearchTables.AssertAgree<CodeTable<Fp4>>([.. Fp4.Thresholds, .. Fp4.Thresholds.ToArray().Select(bound => -bound)]);

    [Fact]
    public void Nearest_Int4AroundItsBounds_RoundsHalfToEven() =>
        SearchTables.AssertAgree<Int4Table>([.. Enumerable.Range(-9, 18).Select(i => i + 0.5f)]);

    [Fact]
    public void Nearest_Int8AroundItsBounds_RoundsHalfToEven() =>
        SearchTables.AssertAgree<Int8Table>([.. Enumerable.Range(-128, 256).Select(i => (i + 0.5f) / 127f)]);

    [Fact]
    public void Facts_OfEveryTable_CoverItsValues()
    {
        AssertFacts<CodeTable<Nf4>>(16);
        AssertFacts<CodeTable<Fp4>>(16);
        AssertFacts<Int4Table>(16);
        AssertFacts<Int8Table>(256);
    }

    private static void AssertFacts<TTable>(int codes)
        where TTable : struct, ISearchTable
    {
        float[] values = [.. Enumerable.Range(0, codes).Select(code => TTable.ValueOf((byte)code)).Where(value => MathF.Abs(value) <= 1f || codes == 16).Distinct().Order()];
        if (codes == 256) values = [.. values.Where(value => MathF.Abs(value) <= TTable.Top)];
        Assert.Equal(values.Max(MathF.Abs), TTable.Top);
        Assert.Equal(16, TTable.Start.Length);
        Assert.True(TTable.Start[0] > 0 && TTable.Start[^1] <= TTable.Largest);
        Assert.Equal(TTable.Start.ToArray().Order(), TTable.Start.ToArray());
        Assert.Equal(0f, TTable.ValueOf(TTable.Encode(TTable.Zero)));
        Assert.Equal(0f, TTable.ValueOf(TTable.Encode(-TTable.Zero)));
    }
}
