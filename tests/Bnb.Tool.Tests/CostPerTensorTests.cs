using Bnb.Engine.Plans;
using Bnb.Engine.Reports;
using Bnb.Engine.Verifying;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>What is shared, joined or counted in bulk, so that a tensor costs little: the same as one by one.</summary>
public sealed class CostPerTensorTests
{
    public static TheoryData<string, string, string, string> Names => new()
    {
        { "a.weight", ".absmax", "a.weight", "" },
        { "a.weight", ".absmax", "b.weight", "" },
        { "layers.1.w", "", "layers.10.w", "" },
        { "x", ".quant_map", "x.absmax", "" },
        { "x", ".absmax", "x.absmaxy", ".absmax" },
        { "m.weight", ".nested_absmax", "m.weight.nested", "_absmax" },
        { "z", "é", "zé", "" },
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void Compare_OfParts_IsThatOfTheNames(string left, string leftEnd, string right, string rightEnd)
    {
        FormPart a = Part(0, leftEnd), b = Part(0, rightEnd);
        int expected = Math.Sign(string.CompareOrdinal(a.NameBeside(left), b.NameBeside(right)));

        Assert.Equal(expected, Math.Sign(FormPart.Compare(a, left, b, right)));
        Assert.Equal(-expected, Math.Sign(FormPart.Compare(b, right, a, left)));
    }

    [Fact]
    public void NameBeside_EndReplaced_IsThatOfTheBuffer()
    {
        FormPart part = Part("weight".Length, "SCB");

        Assert.Equal("m.SCB", part.NameBeside("m.weight"));
        Assert.Equal("m.SCB", part.NameIn(new char[16], "m.weight").ToString());
        Assert.Equal(5, part.NameLength("m.weight"));
    }

    [Fact]
    public void ErrorHistogram_AnyErrors_CountsEachInItsBin()
    {
        var random = new Random(5);
        float[] source = [.. Enumerable.Range(0, 83).Select(_ => random.NextSingle() - 0.5f), float.NaN, float.PositiveInfinity, 0, 1e30f];
        float[] decoded = [.. source.Select(value => value + (random.NextSingle() - 0.5f))];
        decoded[3] = float.NaN;
        const float Bins = 55;
        long[] expected = new long[Histograms.ErrorBins];
        for (int i = 0; i < source.Length; i++)
        {
            float bin = ((decoded[i] - source[i]) * Bins) + (Histograms.ErrorBins / 2f);
            expected[bin < Histograms.ErrorBins ? Math.Max(0, (int)bin) : Histograms.ErrorBins - 1]++;
        }

        var result = new PanelResult();
        var histogram = new ErrorHistogram(new int[ErrorHistogram.Size]);
        histogram.CountErrors(source, decoded, Bins);
        histogram.CountBytes([0x12, 0x1F, 0xF0]);
        histogram.AddNibblesTo(result);

        Assert.Equal(expected, result.ErrorCounts);
        Assert.Equal((1, 2, 1, 2), ((int)result.CodeUse[0], (int)result.CodeUse[1], (int)result.CodeUse[2], (int)result.CodeUse[15]));
    }

    [Fact]
    public void Fold_NamesThatDifferInNumbers_AreOneRowWithTheirRanges()
    {
        string[] names = ["a.0.b", "a.2.b", "x", "a.1.b", "a.7.b", "a.1.c"];

        var rows = TensorGroups.Fold(names, name => name, _ => "");

        Assert.Equal(["a.{0-2,7}.b", "x", "a.1.c"], rows.Select(row => row.Name));
        Assert.Equal(["a.0.b", "a.2.b", "a.1.b", "a.7.b"], rows[0].Members);
    }

    [Fact]
    public void JoinedWrites_FollowingEachOther_AreOneWrite()
    {
        var sink = new Listing();
        var shard = new ShardRun(ShardLayout.Build([], "model", 1)[0], 0, (_, _) => sink);
        var writes = new JoinedWrites();
        writes.Write(shard, 10, [1, 2]);
        writes.Write(shard, 12, [3]);
        writes.Write(shard, 20, [4]);
        writes.Write(shard, 13, [6]);
        writes.Write(shard, 21, new byte[1 << 15]);
        writes.Write(shard, 0, [5]);
        writes.Flush();
        writes.Flush();

        Assert.Equal([(20L, 1), (10L, 4), (21L, 1 << 15), (0L, 1)], sink.Writes);
    }

    [Fact]
    public void JoinedWrites_AtMorePlacesThanItHolds_WriteTheOldestFirst()
    {
        var sink = new Listing();
        var shard = new ShardRun(ShardLayout.Build([], "model", 1)[0], 0, (_, _) => sink);
        var writes = new JoinedWrites();
        for (int i = 0; i < 5; i++) writes.Write(shard, 100 * i, [1]);
        writes.Write(shard, 401, new byte[1 << 16]);
        Assert.Equal([(0L, 1), (400L, 1), (401L, 1 << 16)], sink.Writes);
        writes.Flush();

        Assert.Equal([(100L, 1), (200L, 1), (300L, 1)], sink.Writes.Skip(3).Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5000)]
    public void Pieces_OneFails_IsThatFailureAndNoOther(int things)
    {
        int[] done = new int[8];
        Pieces.Run(8, index => done[index] = things + index);
        Assert.Equal(Enumerable.Range(things, 8), done);

        var failure = Assert.Throws<TimeoutException>(() => Pieces.Run(8, index => index == 5 ? throw new TimeoutException("piece 5") : things));
        Assert.Equal("piece 5", failure.Message);
        Pieces.Run(0, _ => throw new TimeoutException());
    }

    private static FormPart Part(int cut, string suffix) => new(cut, suffix, DType.U8, TensorShape.Of(1), OutputRole.Codes, 1);

    private sealed class Listing : IShardSink
    {
        public List<(long Offset, int Length)> Writes { get; } = [];

        public void Write(long dataOffset, ReadOnlySpan<byte> bytes) => Writes.Add((dataOffset, bytes.Length));

        public ShardResult Complete(IReadOnlyList<byte[]> states) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
