using Bnb.Quant.LowRank;
using Bnb.TestKit;

namespace Bnb.Quant.Tests.LowRank;

/// <summary>Merged rows against a sum in float64, and in pieces.</summary>
public class LowRankTests
{
    private const int Columns = 2500;
    private const int Rank = 5;

    [Fact]
    public void AddRow_Values_AreWeightPlusScaledProducts()
    {
        (float[] left, float[] right, float[] values) = Row();
        float[] merged = [.. values];
        LowRankUpdate.AddRow(left, right, Columns, 0, 0.75f, merged);
        for (int column = 0; column < Columns; column++)
        {
            double sum = 0;
            for (int k = 0; k < Rank; k++) sum += (double)left[k] * right[(k * Columns) + column];
            Assert.Equal(values[column] + (0.75 * sum), merged[column], 1e-5);
        }
    }

    [Fact]
    public void AddRow_InPieces_GivesTheSameBits()
    {
        (float[] left, float[] right, float[] values) = Row();
        float[] merged = [.. values], pieces = [.. values];
        LowRankUpdate.AddRow(left, right, Columns, 0, 0.75f, merged);
        for (int first = 0; first < Columns; first += 333)
            LowRankUpdate.AddRow(left, right, Columns, first, 0.75f, pieces.AsSpan(first, Math.Min(333, Columns - first)));
        Assert.Equal(merged, pieces);
    }

    [Fact]
    public void AddRow_OneValueAtATime_GivesTheSameBits()
    {
        (float[] left, float[] right, float[] values) = Row();
        float[] merged = [.. values];
        LowRankUpdate.AddRow(left, right, Columns, 0, -2f, merged);
        for (int column = 0; column < Columns; column++)
        {
            float sum = 0f;
            for (int k = 0; k < Rank; k++) sum += right[(k * Columns) + column] * left[k];
            Assert.Equal(values[column] + (sum * -2f), merged[column]);
        }
    }

    [Fact]
    public void Normalize_Row_HasTheMagnitudeForItsLength()
    {
        float[] values = FloatPalette.Normals(92, 700);
        double sum = LowRankUpdate.AddSquares(LowRankUpdate.AddSquares(0, values.AsSpan(0, 300)), values.AsSpan(300));
        Assert.Equal(LowRankUpdate.AddSquares(0, values), sum);
        LowRankUpdate.Normalize(3f, sum, values);
        Assert.Equal(3, Math.Sqrt(LowRankUpdate.AddSquares(0, values)), 1e-5);
    }

    [Fact]
    public void AddRow_SpansThatDisagree_Throws()
    {
        Assert.Throws<ArgumentException>(() => LowRankUpdate.AddRow(new float[2], new float[7], 4, 0, 1f, new float[4]));
        Assert.Throws<ArgumentException>(() => LowRankUpdate.AddRow(new float[2], new float[8], 4, 1, 1f, new float[4]));
    }

    private static (float[] Left, float[] Right, float[] Values) Row() =>
        (FloatPalette.Normals(89, Rank), FloatPalette.Normals(90, Rank * Columns), FloatPalette.Normals(91, Columns));
}
