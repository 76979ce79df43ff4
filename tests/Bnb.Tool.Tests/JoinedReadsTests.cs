using Bnb.Engine.DataTypes;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Tensors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>Small tensors that are read at once: their own bytes, and where that is not possible none.</summary>
public sealed class JoinedReadsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public void Read_Neighbours_GivesEachItsBytesAndNoOtherFilesAny()
    {
        Checkpoint checkpoint = Open([Tensor("a", 7), Tensor("b", 300), Tensor("c", 1), Tensor("d", 64)], [Tensor("e", 7)]);
        using TensorSource source = Source(checkpoint);
        CheckpointTensor[] tensors = [.. checkpoint.Tensors];
        var reads = new JoinedReads();

        reads.Read(source, Runs(source, tensors[..4]));

        foreach (CheckpointTensor tensor in tensors[..4])
        {
            byte[] expected = Direct(source, tensor), found = new byte[tensor.ByteCount], end = new byte[tensor.ByteCount - 1];
            Assert.True(reads.TryCopy(tensor, 0, found));
            Assert.True(reads.TryCopy(tensor, 1, end));
            Assert.Equal(expected, found);
            Assert.Equal(expected[1..], end);
        }

        // The same place in another file.
        Assert.False(reads.TryCopy(tensors[4], 0, new byte[tensors[4].ByteCount]));
    }

    [Theory]
    [InlineData(0, 4)] // of two files
    [InlineData(1, 0)] // the wrong way round
    [InlineData(0, 3)] // too far apart
    public void Read_NotNearEachOther_ReadsNothing(int first, int second)
    {
        Checkpoint checkpoint = Open([Tensor("a", 7), Tensor("b", 300), Tensor("c", 1 << 19), Tensor("d", 64)], [Tensor("e", 7)]);
        using TensorSource source = Source(checkpoint);
        var reads = new JoinedReads();
        reads.Read(source, Runs(source, [checkpoint.Tensors[0]]));

        reads.Read(source, Runs(source, [checkpoint.Tensors[first], checkpoint.Tensors[second]]));

        Assert.False(reads.TryCopy(checkpoint.Tensors[0], 0, new byte[1]));
    }

    [Fact]
    public void Read_FileCutShortMeanwhile_ReadsNothing()
    {
        Checkpoint checkpoint = Open([Tensor("a", 7), Tensor("b", 300)]);
        using TensorSource source = Source(checkpoint);
        _ = Direct(source, checkpoint.Tensors[0]);
        using (FileStream file = File.OpenWrite(checkpoint.Files[0].Path)) file.SetLength(file.Length - 1);
        var reads = new JoinedReads();

        reads.Read(source, Runs(source, checkpoint.Tensors));

        Assert.False(reads.TryCopy(checkpoint.Tensors[0], 0, new byte[1]));
        Assert.Equal(checkpoint.Tensors[0].ByteCount, Direct(source, checkpoint.Tensors[0]).Length);
    }

    public void Dispose() => _folder.Dispose();

    private static TestTensor Tensor(string name, long length) => TestTensor.Numbered(name, "F16", length);

    private static TensorSource Source(Checkpoint checkpoint) => new(checkpoint.Tensors.Select(tensor => tensor.File));

    private static byte[] Direct(TensorSource source, CheckpointTensor tensor)
    {
        byte[] bytes = new byte[tensor.ByteCount];
        source.ReadBytes(tensor, 0, bytes);
        return bytes;
    }

    private static IReadOnlyList<TensorRun> Runs(TensorSource source, IReadOnlyList<CheckpointTensor> tensors)
    {
        IReadOnlyList<TensorPlan> plans = [.. tensors.Select(DenseTensors.Plain)];
        var shard = new ShardRun(ShardLayout.Build(plans, "model", long.MaxValue)[0], 0, (_, _) => throw new NotSupportedException());
        var context = new PipelineContext(
            null!, KeepNonFinite: true, Writes: true, MemoryBudget.Divide(BufferNeeds.OfQuantize(plans), 1, 1 << 30, 1 << 16), source, new PipelineProgress(0), () => "");
        return [.. plans.Select(plan => new CopyTensorRun(plan, shard, context))];
    }

    private Checkpoint Open(params IReadOnlyList<TestTensor>[] shards) =>
        Checkpoint.Open(
            shards.Length == 1 ? CheckpointBuilder.SingleFile(_folder["source"], shards[0]) : CheckpointBuilder.Sharded(_folder["source"], shards), requireConfig: true);
}
