using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Bnb.Formats.Gguf;
using Bnb.TestKit;
using Xunit;

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
    public void Of_LlamaNames_AreThoseOfGguf()
    {
        using JsonDocument map = JsonDocument.Parse(File.ReadAllBytes(Golden.File("imatrix", "name_map_llama.json")));
        var linear = map.RootElement.GetProperty("hf_to_ggml").EnumerateObject()
            .Where(pair => pair.Name.Contains("_proj", StringComparison.Ordinal) || pair.Name.EndsWith(".gate.weight", StringComparison.Ordinal)).ToList();

        Assert.Equal(16, linear.Count);
        Assert.All(linear, pair => Assert.Equal((pair.Value.GetString()!, null), GgmlNames.Of(pair.Name)));
    }

    [Theory]
    [InlineData("model.layers.1.block_sparse_moe.experts.3.w2.weight", "blk.1.ffn_down_exps.weight", 3)]
    [InlineData("model.layers.12.mlp.experts.0.gate_proj.weight", "blk.12.ffn_gate_exps.weight", 0)]
    [InlineData("transformer.h.2.attn.c_attn.weight", "blk.2.attn_qkv.weight", null)]
    [InlineData("h.2.mlp.c_proj.weight", "blk.2.ffn_down.weight", null)]
    public void Of_OtherFamilies_FollowTheSameRules(string name, string expected, int? expert) =>
        Assert.Equal((expected, expert), GgmlNames.Of(name));

    [Theory]
    [InlineData("model.norm.weight")]
    [InlineData("model.layers.0.input_layernorm.weight")]
    [InlineData("model.layers.0.self_attn.q_proj.bias")]
    public void Of_NoLinearWeightOfALayer_IsNull(string name) => Assert.Null(GgmlNames.Of(name));

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
