using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Splitting;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Experts;

/// <summary>Matrices of a stack read in pieces, against the stack read whole.</summary>
public sealed class SlicedReaderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("BF16", false, true)]
    [InlineData("BF16", true, true)]
    [InlineData("BF16", true, false)]
    [InlineData("F32", true, false)]
    [InlineData("F64", true, true)]
    [InlineData("F64", false, false)]
    public void Read_AnyPieceOfAnyMatrix_IsThatOfTheStack(string dtype, bool isTransposed, bool lends)
    {
        const int Experts = 3, Rows = 22, Columns = 37;
        TestTensor stored = TestTensor.Numbered("stack", dtype, Experts, isTransposed ? Columns : 2 * Rows, isTransposed ? 2 * Rows : Columns);
        string folder = CheckpointBuilder.SingleFile(_folder["stack"], [TestTensor.Numbered("before", "U8", 5), stored], config: null);
        TensorPlan stack = DenseTensors.Of(Checkpoint.Open(folder, requireConfig: false), isConv1D: false).Single(tensor => tensor.Name == "stack");
        int size = stored.Data.Length / (Experts * 2 * Rows * Columns);
        var dice = new Random(dtype.Length + (isTransposed ? 1 : 0));
        using var engine = new CpuEngine(KernelPath.Reference);
        for (int expert = 0; expert < Experts; expert++)
        {
            for (int part = 0; part < 2; part++)
            {
                long first = (expert * 2L * Rows * Columns) + (part * Rows * (isTransposed ? 1L : Columns));
                var input = new SlicedInput(stack, "matrix", TensorShape.Of(Rows, Columns), first) { ColumnStride = isTransposed ? 2 * Rows : 0 };
                using var source = new TensorSource([stack with { Input = input }], DataTypeCatalog.InputsOn(engine));
                long lent = 0;
                ValueReader reader = source.ReaderOf(input);
                reader.Begin(bytes =>
                {
                    if (lends) lent += bytes;
                    return lends;
                });
                for (int piece = 0; piece < 40; piece++)
                {
                    int from = dice.Next(Rows * Columns), count = 1 + dice.Next((Rows * Columns) - from);
                    Assert.True(reader.Read(from, count, new WorkerBuffers(count * size, 0, 0, 0)).SequenceEqual(Wanted(expert, part, from, count)), $"expert {expert}, part {part}, {from} + {count}");
                }

                source.Close(input, bytes => lent -= bytes);
                Assert.Equal(0, lent);
            }
        }

        byte[] Wanted(int expert, int part, int from, int count)
        {
            var bytes = new List<byte>();
            for (int at = from; at < from + count; at++)
            {
                int row = (part * Rows) + (at / Columns), column = at % Columns;
                int index = (expert * 2 * Rows * Columns) + (isTransposed ? (column * 2 * Rows) + row : (row * Columns) + column);
                bytes.AddRange(stored.Data.AsSpan(index * size, size));
            }

            return [.. bytes];
        }
    }

    [Theory]
    [InlineData(new long[] { 4, 128, 96 }, 2, new long[] { 4, 96, 64 }, false)]
    [InlineData(new long[] { 4, 96, 128 }, 2, new long[] { 4, 64, 96 }, true)]
    [InlineData(new long[] { 4, 64, 96 }, 1, new long[] { 4, 96, 64 }, false)]
    // Hidden size and twice the inner one are alike: the other stack tells.
    [InlineData(new long[] { 4, 128, 128 }, 2, new long[] { 4, 128, 64 }, false)]
    [InlineData(new long[] { 4, 128, 128 }, 2, new long[] { 4, 64, 128 }, true)]
    [InlineData(new long[] { 4, 128, 96 }, 2, new long[] { 3, 96, 64 }, null)]
    [InlineData(new long[] { 4, 128, 96 }, 2, new long[] { 4, 96, 32 }, null)]
    [InlineData(new long[] { 4, 127, 96 }, 2, new long[] { 4, 96, 63 }, null)]
    [InlineData(new long[] { 0, 128, 96 }, 2, new long[] { 0, 96, 64 }, null)]
    [InlineData(new long[] { 512, 96 }, 2, new long[] { 384, 64 }, null)]
    public void IsTransposed_OfShapes_IsToldByBoth(long[] first, int parts, long[] down, bool? expected) =>
        Assert.Equal(expected, StackLayout.IsTransposed(TensorShape.Of(first), parts, TensorShape.Of(down)));
}
