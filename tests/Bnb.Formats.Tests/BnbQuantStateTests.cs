using System.Text;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Primitives;
using FsCheck;
using FsCheck.Fluent;

namespace Bnb.Formats.Tests;

public sealed class BnbQuantStateTests
{
    private const string Nested = """{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4096, 4096], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.0420587994158268}""";

    [Fact]
    public void ToUtf8_WithoutDoubleQuant_GivesThisText()
    {
        BnbQuantState state = new("nf4", 64, "bfloat16", [4096, 4096], null);

        Assert.Equal("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4096, 4096]}""", Text(state));
        Assert.Equal(state.ToUtf8().Length, state.MaxUtf8Length);
    }

    [Fact]
    public void ToUtf8_WithDoubleQuant_GivesThisText()
    {
        BnbQuantState state = new("nf4", 64, "bfloat16", [4096, 4096], 0.0420588f);

        Assert.Equal(Nested, Text(state));
        Assert.Equal(171, state.ToUtf8().Length);
        Assert.Equal(state, BnbQuantState.Parse(state.ToUtf8(), "f", "t"));
    }

    [Fact]
    public void Parse_NestedBFloat16_IsKept()
    {
        BnbQuantState state = BnbQuantState.Parse(Encoding.UTF8.GetBytes(Nested.Replace("float32", "bfloat16", StringComparison.Ordinal)), "f", "t");

        Assert.True(state.IsNestedBFloat16);
        Assert.Equal(state, BnbQuantState.Parse(state.ToUtf8(), "f", "t"));
        Assert.NotEqual(state, state with { NestedDType = "float32" });
    }

    [Fact]
    public void MaxUtf8Length_AnyOffset_IsEnough()
    {
        // All bit patterns cannot be tried; these are every exponent with the mantissas that print longest and shortest, and random ones.
        Random random = new(20260801);
        BnbQuantState state = new("fp4", 128, "float16", [1, 2], 0f);
        int longest = 0;
        for (int i = 0; i < 60_000; i++)
        {
            uint bits = i < 4096 ? ((uint)i << 20) | (i % 2 == 0 ? 0u : 0xfffffu) : (uint)random.NextInt64(1L << 32);
            byte[] text = (state with { NestedOffset = BitConverter.UInt32BitsToSingle(bits) }).ToUtf8();
            longest = Math.Max(longest, text.Length);
            Assert.True(text.Length <= state.MaxUtf8Length, Encoding.ASCII.GetString(text));
        }

        Assert.True(state.MaxUtf8Length - longest <= 2, $"{longest} of {state.MaxUtf8Length}");
    }

    [Fact]
    public void ToUtf8_ThenParse_IsTheSame() => Prop.ForAll(
        ArbMap.Default.ArbFor<float>().Filter(float.IsFinite),
        offset =>
        {
            BnbQuantState state = new("fp4", 4096, "float32", [3, 5], offset);
            return BnbQuantState.Parse(state.ToUtf8(), "f", "t") == state;
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"quant_type": "nf5", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1]}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 0, "dtype": "bfloat16", "shape": [1, 1]}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64.5, "dtype": "bfloat16", "shape": [1, 1]}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "shape": [1, 1]}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [-1, 1]}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1], "made_by": "x"}""")]
    [InlineData("""{"quant_type": "nf4", "quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1]}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1], "nested_offset": 0.5}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1], "nested_blocksize": 64, "nested_dtype": "float32", "nested_offset": 0.5}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": NaN}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 1e39}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1], "nested_blocksize": 256, "nested_dtype": "float16", "nested_offset": 0.5}""")]
    [InlineData("""{"quant_type": "\ud800", "blocksize": 64, "dtype": "bfloat16", "shape": [1, 1]}""")]
    public void Parse_AnythingElse_IsRefused(string json)
    {
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => BnbQuantState.Parse(Encoding.UTF8.GetBytes(json), "f", "t"));

        Assert.Equal("BNB-STATE", error.Error.Code());
        Assert.Equal("t", error.Tensor);
    }

    [Fact]
    public void Parse_EveryTruncationAndBitFlip_ThrowsOnlyFormatErrors()
    {
        byte[] seed = Encoding.UTF8.GetBytes(Nested);
        for (int i = 0; i < seed.Length * 8; i++)
        {
            byte[] flipped = [.. seed];
            flipped[i / 8] ^= (byte)(1 << (i % 8));
            foreach (byte[] text in (byte[][])[flipped, seed[..(i / 8)]])
            {
                try
                {
                    BnbQuantState.Parse(text, "f", "t");
                }
                catch (CheckpointFormatException error)
                {
                    Assert.DoesNotContain(error.Message, char.IsControl);
                }
            }
        }
    }

    private static string Text(BnbQuantState state) => Encoding.ASCII.GetString(state.ToUtf8());
}
