using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Diff;

/// <summary>4-bit weights against 4-bit and plain ones.</summary>
public sealed class DiffPackedTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4607)]
    [InlineData(2222)]
    public void Diff_OneFlippedNibble_IsNamedExactly(int index)
    {
        var packed = new HandPacked();
        IReadOnlyList<TestTensor> changed = packed.Tensors();
        changed[0].Data[index / 2] ^= (byte)(index % 2 == 0 ? 0x30 : 0x03);

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Equal(["weight"], DiffOf.Names(weight.GetProperty("parts_differing")));
        Assert.Empty(DiffOf.Changes(weight));
        JsonElement codes = weight.GetProperty("codes");
        Assert.Equal((4608, 1, index), (codes.GetProperty("count").GetInt32(), codes.GetProperty("changed").GetInt32(), codes.GetProperty("first").GetInt32()));
        Assert.Equal(1 / 4608d, codes.GetProperty("share").GetDouble());
        Assert.Equal(0, weight.GetProperty("absmax").GetProperty("changed").GetInt32());
        Assert.Equal(JsonValueKind.Null, weight.GetProperty("absmax").GetProperty("first_block").ValueKind);
        Assert.Equal(index, weight.GetProperty("values").GetProperty("first").GetInt32());
        DiffPlainTests.AssertError(packed.Values(), packed.Decode(changed), weight.GetProperty("values"));
        Assert.Contains($"[{index / 96}, {index % 96}]", Screen(), StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_OneAbsmaxByte_IsNamedExactly()
    {
        var packed = new HandPacked { QuantType = "fp4", DType = "float16" };
        IReadOnlyList<TestTensor> changed = packed.Tensors();
        TestTensor absmax = changed.Single(tensor => tensor.Name.EndsWith(".absmax", StringComparison.Ordinal));
        float before = HandPacked.Floats(absmax.Data)[41];
        absmax.Data[(41 * 4) + 2] ^= 0x10;
        float after = HandPacked.Floats(absmax.Data)[41];

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Equal(["absmax"], DiffOf.Names(weight.GetProperty("parts_differing")));
        Assert.Equal(0, weight.GetProperty("codes").GetProperty("changed").GetInt32());
        JsonElement drift = weight.GetProperty("absmax");
        Assert.Equal((72, 1, 41), (drift.GetProperty("blocks").GetInt32(), drift.GetProperty("changed").GetInt32(), drift.GetProperty("first_block").GetInt32()));
        double relative = Math.Abs((double)before - after) / Math.Max(before, after);
        Assert.Equal(relative, drift.GetProperty("max_relative").GetDouble(), 1e-15);
        Assert.Equal(relative / 72, drift.GetProperty("mean_relative").GetDouble(), 1e-15);
        Assert.InRange(weight.GetProperty("values").GetProperty("first").GetInt32(), 41 * 64, (42 * 64) - 1);
        DiffPlainTests.AssertError(packed.Values(), packed.Decode(changed), weight.GetProperty("values"));
    }

    [Fact]
    public void Diff_OneNestedAbsmaxCode_IsOneBlock()
    {
        var packed = new HandPacked { Nested = true, Blocksize = 32 };
        IReadOnlyList<TestTensor> changed = packed.Tensors();
        changed.Single(tensor => tensor.Name.EndsWith("weight.absmax", StringComparison.Ordinal)).Data[100] ^= 1;

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Equal(["absmax"], DiffOf.Names(weight.GetProperty("parts_differing")));
        Assert.Equal((1, 100), (weight.GetProperty("absmax").GetProperty("changed").GetInt32(), weight.GetProperty("absmax").GetProperty("first_block").GetInt32()));
    }

    [Fact]
    public void Diff_NestedScaleAndOffset_AreNamedAndTouchEveryBlock()
    {
        var packed = new HandPacked { Nested = true };
        IReadOnlyList<TestTensor> scaled = packed.Tensors(), shifted = packed.Tensors();
        scaled.Single(tensor => tensor.Name.EndsWith("nested_absmax", StringComparison.Ordinal)).Data[2] ^= 0x40;
        byte[] state = shifted.Single(tensor => tensor.Name.Contains("quant_state", StringComparison.Ordinal)).Data;
        state[Array.LastIndexOf(state, (byte)'5')] = (byte)'7';

        JsonElement scale = DiffOf.Tensors(_folder, packed.Tensors(), scaled).Only(), offset = DiffOf.Tensors(_folder, packed.Tensors(), shifted).Only();

        Assert.Equal(["nested_absmax"], DiffOf.Names(scale.GetProperty("parts_differing")));
        Assert.Equal(["quant_state"], DiffOf.Names(offset.GetProperty("parts_differing")));
        // Code 120 of this table is zero, and a scale does not move it.
        Assert.InRange(scale.GetProperty("absmax").GetProperty("changed").GetInt32(), 68, 72);
        Assert.Equal(72, offset.GetProperty("absmax").GetProperty("changed").GetInt32());
    }

    [Fact]
    public void Diff_QuantMapOnly_DiffersInBytesAndInNoValue()
    {
        var packed = new HandPacked();
        IReadOnlyList<TestTensor> changed = packed.Tensors();
        changed[1].Data[0] ^= 1;

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        // Loaders take the table of the quant type, whatever the file says.
        Assert.Equal(["quant_map"], DiffOf.Names(weight.GetProperty("parts_differing")));
        Assert.Equal(0, weight.GetProperty("values").GetProperty("differing").GetInt32());
        Assert.Contains("bytes, no value", Screen(), StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_PaddingNibble_IsNoCode()
    {
        var packed = new HandPacked { Rows = 7, Columns = 37 };
        IReadOnlyList<TestTensor> changed = packed.Tensors();
        changed[0].Data[^1] ^= 0x05;

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Equal(["weight"], DiffOf.Names(weight.GetProperty("parts_differing")));
        Assert.Equal(0, weight.GetProperty("codes").GetProperty("changed").GetInt32());
        Assert.Equal(0, weight.GetProperty("values").GetProperty("differing").GetInt32());
    }

    [Fact]
    public void Diff_StateWhitespace_IsNoDifference()
    {
        IReadOnlyList<TestTensor> tensors = new HandPacked { Nested = true }.Tensors();
        TestTensor state = tensors[2];
        byte[] compact = [.. state.Data.Where(letter => letter != ' ')];

        DiffOf diff = DiffOf.Tensors(_folder, tensors, tensors.Select(tensor => tensor == state ? state with { Data = compact, Shape = [compact.Length] } : tensor));

        Assert.Equal(ExitCode.Done, diff.Run.Exit);
    }

    public static TheoryData<string> Forms => ["quant_type", "blocksize", "double_quant", "dtype", "quant_storage", "shape"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Diff_OtherForm_IsNamed(string what)
    {
        HandPacked a = new(), b = what switch
        {
            "quant_type" => new HandPacked { QuantType = "fp4" },
            "blocksize" => new HandPacked { Blocksize = 4096 },
            "double_quant" => new HandPacked { Nested = true },
            "dtype" => new HandPacked { DType = "float16" },
            "quant_storage" => new HandPacked { Storage = "BF16" },
            _ => new HandPacked { Rows = 96, Columns = 48 },
        };

        JsonElement weight = DiffOf.Tensors(_folder, a.Tensors(), b.Tensors()).Only();

        Assert.Equal([what], DiffOf.Changes(weight).Select(change => change[..change.IndexOf(':', StringComparison.Ordinal)]));
        Assert.Equal(what is "double_quant" or "dtype" or "quant_storage", weight.TryGetProperty("codes", out JsonElement codes));
        if (codes.ValueKind == JsonValueKind.Object) Assert.Equal(0, codes.GetProperty("changed").GetInt32());
        if (what is "dtype" or "quant_storage") Assert.True(weight.GetProperty("bytes_equal").GetBoolean());
        if (what == "shape") Assert.False(weight.TryGetProperty("values", out _));
        else DiffPlainTests.AssertError(a.Values(), b.Values(), weight.GetProperty("values"));
    }

    [Theory]
    [InlineData("bfloat16", "BF16", false)]
    [InlineData("float16", "F16", true)]
    [InlineData("float32", "F32", true)]
    public void Diff_PackedAgainstItsOwnValues_HasNoError(string dtype, string stored, bool nested)
    {
        var packed = new HandPacked { DType = dtype, Nested = nested, Rows = 9, Columns = 31 };
        var plain = new TestTensor(HandPacked.Name, stored, [9, 31], HandPacked.Store(packed.Values(), dtype));

        DiffOf forth = DiffOf.Tensors(_folder, packed.Tensors(), [plain]);
        DiffOf back = DiffOf.Tensors(_folder, [plain], packed.Tensors());

        foreach (JsonElement weight in (JsonElement[])[forth.Only(), back.Only()])
        {
            Assert.StartsWith("quantized: ", Assert.Single(DiffOf.Changes(weight)), StringComparison.Ordinal);
            Assert.Equal(0, weight.GetProperty("values").GetProperty("differing").GetInt32());
        }
    }

    [Fact]
    public void Diff_PackedAgainstInteger_HasNoValues()
    {
        JsonElement weight = DiffOf.Tensors(_folder, new HandPacked().Tensors(), [TestTensor.Numbered(HandPacked.Name, "U8", 48, 96)]).Only();

        Assert.False(weight.TryGetProperty("values", out _));
    }

    [Fact]
    public void Diff_MissingCompanion_IsRefused()
    {
        IReadOnlyList<TestTensor> tensors = new HandPacked().Tensors();
        string whole = _folder.Write("a.safetensors", CheckpointBuilder.Safetensors(tensors));
        string broken = _folder.Write("b.safetensors", CheckpointBuilder.Safetensors(tensors.Where(tensor => !tensor.Name.EndsWith(".absmax", StringComparison.Ordinal))));

        ToolRun run = ToolRun.Of("diff", whole, broken);

        Assert.Equal(ExitCode.InputMalformed, run.Exit);
        Assert.Contains("error[BNB-STATE]", run.Error, StringComparison.Ordinal);
    }

    private string Screen() => ToolRun.Of("diff", _folder["a.safetensors"], _folder["b.safetensors"]).Out;
}
