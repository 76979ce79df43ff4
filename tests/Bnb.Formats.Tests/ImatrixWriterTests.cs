using System.Buffers.Binary;
using System.Text;
using Bnb.Formats.Gguf;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>llama.cpp's importance matrix, against a file that gguf's own writer made.</summary>
public class ImatrixWriterTests
{
    [Fact]
    public void Write_EntriesOfTheGoldenFile_GivesItsBytes()
    {
        byte[] golden = File.ReadAllBytes(Golden.File("imatrix", "imatrix.gguf"));
        List<ImatrixEntry> entries = Entries(golden);

        byte[] written = ImatrixWriter.Write([.. entries.AsEnumerable().Reverse()], ["calib_a.txt", "calib_b.txt"], chunks: 7, chunkSize: 512);

        Assert.Equal(16, entries.Count);
        Assert.Equal(golden, written);
    }

    [Fact]
    public void Write_SumsThatDoNotFit_IsRefused() =>
        Assert.Throws<ArgumentException>(() => ImatrixWriter.Write([new ImatrixEntry("a", 3, [1, 2], [1])], [], 1, 1));

    [Fact]
    public void Write_TwoMatrices_ReadsBackAsMeans()
    {
        using var folder = new TempFolder();
        byte[] written = ImatrixWriter.Write([new ImatrixEntry("blk.0.ffn_up_exps.weight", 3, [2, 4, 6, 5, 10, 20], [2, 5])], ["a"], 1, 7);

        ImportanceMatrix matrix = ImportanceMatrix.Read(folder.Write("i.gguf", written));

        float[][] means = [[1, 2, 3], [1, 2, 4]];
        Assert.Equal(means, matrix.Find("blk.0.ffn_up_exps.weight")!);
    }

    /// <summary>What the file says, read as plainly as can be: the file is trusted, and the product's reader must not vouch for its writer.</summary>
    private static List<ImatrixEntry> Entries(byte[] file)
    {
        int at = 8;
        int tensors = (int)UInt64(), keys = (int)UInt64();
        for (int i = 0; i < keys; i++)
        {
            Text();
            Value((int)UInt32());
        }

        var found = new List<(string Name, int Inner, int Outer, int Offset)>();
        for (int i = 0; i < tensors; i++)
        {
            string name = Text();
            at += 4;
            int inner = (int)UInt64(), outer = (int)UInt64();
            at += 4;
            found.Add((name, inner, outer, (int)UInt64()));
        }

        int data = (at + 31) / 32 * 32;
        return
        [
            .. found.Where(item => item.Name.EndsWith(".in_sum2", StringComparison.Ordinal)).Select(item =>
            {
                string name = item.Name[..^".in_sum2".Length];
                var counts = found.Single(other => other.Name == name + ".counts");
                return new ImatrixEntry(name, item.Inner, Floats(item.Offset, item.Inner * item.Outer), Floats(counts.Offset, counts.Outer));
            }),
        ];

        uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan((at += 4) - 4));

        ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan((at += 8) - 8));

        string Text()
        {
            int length = (int)UInt64();
            return Encoding.UTF8.GetString(file, (at += length) - length, length);
        }

        void Value(int type)
        {
            if (type == 8)
            {
                Text();
            }
            else if (type == 9)
            {
                int inner = (int)UInt32();
                for (int left = (int)UInt64(); left > 0; left--) Value(inner);
            }
            else
            {
                at += 4;
            }
        }

        float[] Floats(int offset, int count) =>
            [.. Enumerable.Range(0, count).Select(i => BinaryPrimitives.ReadSingleLittleEndian(file.AsSpan(data + offset + (i * 4))))];
    }
}
