using Bnb.Formats.Torch;

namespace Bnb.Formats.Tests.Torch;

public sealed class StridedReaderTests
{
    private static readonly byte[] File = [.. Enumerable.Range(0, 400_000).Select(i => (byte)((i * 31) ^ (i >> 8)))];

    // Dimensions, steps in elements, bytes of an element.
    public static TheoryData<long[], long[], int> Views => new()
    {
        { [8, 6], [1, 8], 4 },
        { [6, 3], [8, 1], 4 },
        { [3, 3], [16, 3], 4 },
        { [4, 8], [0, 1], 4 },
        { [4, 2, 3], [1, 12, 4], 2 },
        { [5, 7, 3, 2], [1, 5, 70, 35], 8 },
        { [300, 200], [1, 300], 1 },
        { [40, 1000], [1, 40], 8 },
        { [3, 20_000], [40_000, 2], 1 },
        { [1000], [97], 4 },
        { [30, 0x1000, 3], [3, 0, 1], 1 },
        { [7, 1, 5], [11, 3, 2], 2 },
        { [2, 100_000], [1, 2], 1 },
        { [2, 150_000], [200_000, 1], 1 },
    };

    [Theory]
    [MemberData(nameof(Views))]
    public void Read_AnyPieceOfAView_EqualsElementByElement(long[] sizes, long[] strides, int elementBytes)
    {
        byte[] expected = Naive(7, sizes, strides, elementBytes);
        TensorStrides view = TensorStrides.Of(7, sizes, strides, elementBytes)!;
        var random = new Random(expected.Length);

        for (int i = 0; i < 12; i++)
        {
            int from = i == 0 ? 0 : random.Next(expected.Length), length = i == 0 ? expected.Length : random.Next(1, expected.Length - from + 1);
            // Pieces that begin and end inside of an element, too: nothing depends on where.
            byte[] piece = new byte[length];
            StridedReader.Read(new MemorySource(File), view, from, piece);
            Assert.True(expected.AsSpan(from, length).SequenceEqual(piece), $"{from} + {length}");
        }
    }

    [Theory]
    [InlineData(new long[] { 3, 4 }, new long[] { 4, 1 }, true)]
    [InlineData(new long[] { 3, 1, 4 }, new long[] { 4, 99, 1 }, true)]
    [InlineData(new long[] { 1, 4 }, new long[] { 99, 1 }, true)]
    [InlineData(new long[0], new long[0], true)]
    [InlineData(new long[] { 4, 3 }, new long[] { 1, 4 }, false)]
    [InlineData(new long[] { 4 }, new long[] { 0 }, false)]
    public void Of_ContiguousTensor_NeedsNoStrides(long[] sizes, long[] strides, bool isContiguous) =>
        Assert.Equal(isContiguous, TensorStrides.Of(0, sizes, strides, 4) is null);

    [Fact]
    public void Read_DenseRows_AreReadTogether()
    {
        // 3 of 8 columns: one read of the whole extent instead of one for each of 1,000 rows.
        TensorStrides view = TensorStrides.Of(0, [1000, 3], [8, 1], 4)!;
        MemorySource source = new(File);

        StridedReader.Read(source, view, 0, new byte[12_000]);

        Assert.Equal((1, (999 * 32) + 12), source.Reads);
    }

    [Fact]
    public void Read_SparseRows_AreReadOneByOne()
    {
        TensorStrides view = TensorStrides.Of(0, [30, 4], [3000, 1], 4)!;
        MemorySource source = new(File);

        StridedReader.Read(source, view, 0, new byte[480]);

        Assert.Equal((30, 480), source.Reads);
    }

    [Fact]
    public void Read_PastTheEnd_IsAMistakeOfTheCaller() => Assert.Throws<ArgumentOutOfRangeException>(() =>
        StridedReader.Read(new MemorySource(File), TensorStrides.Of(0, [4, 3], [1, 4], 4)!, 44, new byte[5]));

    private static byte[] Naive(long start, long[] sizes, long[] strides, int elementBytes)
    {
        List<byte> bytes = [];
        long[] index = new long[sizes.Length];
        while (true)
        {
            long at = start;
            for (int i = 0; i < index.Length; i++) at += index[i] * strides[i] * elementBytes;
            bytes.AddRange(File.AsSpan((int)at, elementBytes));
            int d = sizes.Length - 1;
            while (d >= 0 && ++index[d] == sizes[d]) index[d--] = 0;
            if (d < 0) return [.. bytes];
        }
    }
}
