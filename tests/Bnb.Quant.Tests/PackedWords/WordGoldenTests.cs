using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.PackedWords;
using Bnb.Quant.ScaledCodes;
using Bnb.Quant.Tests.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests.PackedWords;

/// <summary>Every value that gptqmodel and autoawq decode.</summary>
public class WordGoldenTests
{
    [Theory]
    [InlineData("gptq_v1", 4, true)]
    [InlineData("gptq_v1_8bit", 8, true)]
    [InlineData("gptq_v1_desc_act", 4, true)]
    [InlineData("gptq_v1_group_all", 4, true)]
    [InlineData("gptq_v1_sym", 4, true)]
    [InlineData("gptq_v1_tailgroup", 4, true)]
    [InlineData("gptq_v1_zero0_edge", 4, true)]
    [InlineData("gptq_v2", 4, false)]
    public void Decode_Gptq_GivesTheLibrarysValues(string name, int bits, bool storedLessOne)
    {
        GoldenTensors golden = GoldenTensors.Load("sources", "gptq_awq", "gptq", "tensors.safetensors");
        int each = GptqWords.PerWord(bits);
        long[] shape = golden.Shape(name + ".qweight");
        int inputs = (int)shape[0] * each, outputs = (int)shape[1], groups = (int)golden.Shape(name + ".scales")[0];
        int[] words = Ints(golden, name + ".qweight"), zeroWords = Ints(golden, name + ".qzeros"), groupOf = Ints(golden, name + ".g_idx");
        var codes = new byte[inputs * outputs];
        for (int row = 0; row < shape[0]; row++)
            GptqWords.Spread(bits, words.AsSpan(row * outputs, outputs), codes, row * each, inputs);

        var zeros = new float[groups * outputs];
        for (int group = 0; group < groups; group++)
        {
            ReadOnlySpan<int> own = zeroWords.AsSpan(group * outputs / each, outputs / each);
            GptqWords.Zeros(bits, storedLessOne, own, 0, zeros.AsSpan(group * outputs, outputs));
        }

        AssertGolden(GoldenTensors.Load("sources", "gptq_awq", "gptq", "expected.safetensors"), name, codes, inputs, golden, zeros, groupOf);
    }

    [Theory]
    [InlineData("awq_256x32")]
    [InlineData("awq_g64_128x64")]
    [InlineData("awq_onegroup_128x32")]
    public void Decode_Awq_GivesTheLibrarysValues(string name)
    {
        GoldenTensors golden = GoldenTensors.Load("sources", "gptq_awq", "awq", "tensors.safetensors");
        long[] shape = golden.Shape(name + ".qweight");
        int inputs = (int)shape[0], outputs = (int)shape[1] * 8, groups = (int)golden.Shape(name + ".scales")[0];
        int[] words = Ints(golden, name + ".qweight"), zeroWords = Ints(golden, name + ".qzeros");
        var codes = new byte[inputs * outputs];
        for (int input = 0; input < inputs; input++)
            AwqWords.Spread(words.AsSpan(input * outputs / 8, outputs / 8), 0, outputs, codes, input, inputs);

        var zeros = new float[groups * outputs];
        for (int group = 0; group < groups; group++)
            AwqWords.Zeros(zeroWords.AsSpan(group * outputs / 8, outputs / 8), 0, zeros.AsSpan(group * outputs, outputs));
        int[] groupOf = [.. Enumerable.Range(0, inputs).Select(input => input / (inputs / groups))];

        AssertGolden(GoldenTensors.Load("sources", "gptq_awq", "awq", "expected.safetensors"), name, codes, inputs, golden, zeros, groupOf);
    }

    [Fact]
    public void Spread_PieceOfAMatrix_DropsWhatLiesOutside()
    {
        // Rows of 24 codes; the piece begins with the last word of row 0 and ends with the first of row 2.
        int[] words = [0x76543210, unchecked((int)0xFEDCBA98), 0x11111111];
        var codes = new byte[40];
        GptqWords.Spread(4, words, codes, -16, 24);
        Assert.Equal([.. Enumerable.Repeat((byte)0, 8), 8, 9, 10, 11, 12, 13, 14, 15, .. Enumerable.Repeat((byte)0, 16), .. Enumerable.Repeat((byte)1, 8)], codes);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void Spread_ThenEveryOffset_IsOneCodeAtATime(int bits)
    {
        int each = 32 / bits;
        int[] words = [0x12345678, unchecked((int)0x9ABCDEF0)];
        for (int position = -each - 1; position <= each; position++)
        {
            var codes = new byte[each];
            GptqWords.Spread(bits, words, codes, position, 3 * each);
            byte[] expected = [.. Enumerable.Range(0, each).Select(i => i < position || i >= position + each
                ? (byte)0
                : (byte)((words[0] >> ((i - position) * bits)) & ((1 << bits) - 1)))];
            Assert.Equal(expected, codes);
        }
    }

    [Fact]
    public void Zeros_OfTooFewWords_Throws()
    {
        Assert.Throws<ArgumentException>(() => GptqWords.Zeros(4, true, [1], 1, new float[8]));
        Assert.Throws<ArgumentException>(() => AwqWords.Zeros([1], 1, new float[8]));
        Assert.Throws<ArgumentOutOfRangeException>(() => GptqWords.Zeros(3, true, [1], 0, new float[8]));
    }

    private static void AssertGolden(
        GoldenTensors expected, string name, byte[] codes, int inputs, GoldenTensors golden, float[] zeros, int[] groupOf)
    {
        float[] scales = GridWeight.ReadScales(golden, name + ".scales");
        int outputs = codes.Length / inputs, groups = scales.Length / outputs;
        foreach (string part in expected.Names.Where(part => part.StartsWith(name + ".weight", StringComparison.Ordinal)))
        {
            var type = Enum.Parse<ElementType>(expected.Dtype(part));
            var gathered = new byte[codes.Length * type.Size()];
            int bytes = inputs * type.Size();
            for (int row = 0; row < outputs; row++)
            {
                (float[] own, float[] ownZeros) = (Column(scales, row), Column(zeros, row));
                DecodeGathered.Row(codes.AsSpan(row * inputs, inputs), groupOf, own, ownZeros, type, gathered.AsSpan(row * bytes, bytes));
                if (!IsRuns(groupOf, out int width)) continue;
                foreach (KernelPath path in KernelPaths.Available)
                {
                    var values = new byte[bytes];
                    DecodeCodes.Row(
                        ScaledCode.Unsigned, codes.AsSpan(row * inputs, inputs), own, ownZeros, 0, width, ElementType.F32, type, values, path);
                    Assert.Equal(gathered.AsSpan(row * bytes, bytes).ToArray(), values);
                }
            }

            GridWeight.AssertSame(type, expected.Bytes(part), gathered, part);
        }

        float[] Column(float[] grid, int row) => [.. Enumerable.Range(0, groups).Select(group => grid[(group * outputs) + row])];
    }

    private static bool IsRuns(int[] groupOf, out int width)
    {
        int size = Array.IndexOf(groupOf, 1) is > 0 and { } end ? end : groupOf.Length;
        width = size;
        return groupOf.Select((group, column) => group == column / size).All(same => same);
    }

    private static int[] Ints(GoldenTensors golden, string name) => MemoryMarshal.Cast<byte, int>(golden.Bytes(name)).ToArray();
}
