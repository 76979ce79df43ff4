using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Diff;
using Xunit;

namespace Bnb.Tool.Tests.Integers;

/// <summary><c>diff</c> on int8 and int4: one damaged byte is named exactly, other forms are compared by their values.</summary>
public sealed class DiffIntegerTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(95)]
    [InlineData(2222)]
    [InlineData(4607)]
    public void Diff_OneInt8Code_IsNamedExactly(int index)
    {
        var packed = new HandRows8();
        List<TestTensor> changed = packed.Tensors();
        changed[0].Data[index] ^= 0x11;

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Empty(DiffOf.Changes(weight));
        Assert.Equal(["weight"], DiffOf.Names(weight.GetProperty("parts_differing")));
        AssertCodes(weight, 4608, 1, index);
        AssertScales(weight, 48, 0, null);
        Assert.Equal(index, weight.GetProperty("values").GetProperty("first").GetInt32());
        DiffPlainTests.AssertError(packed.Values("F16"), packed.Decode(changed, "F16"), weight.GetProperty("values"));
        Assert.Contains($"[{index / 96}, {index % 96}]", Screen(), StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_OneScb_IsNamedExactly()
    {
        var packed = new HandRows8();
        List<TestTensor> changed = packed.Tensors();
        changed[1].Data[(31 * 4) + 2] ^= 0x10;

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Equal(["SCB"], DiffOf.Names(weight.GetProperty("parts_differing")));
        AssertCodes(weight, 4608, 0, null);
        AssertScales(weight, 48, 1, 31);
        float before = Stored.Values("F32", packed.Tensors()[1].Data)[31], after = Stored.Values("F32", changed[1].Data)[31];
        Assert.Equal(Math.Abs((double)before - after) / Math.Max(before, after), weight.GetProperty("absmax").GetProperty("max_relative").GetDouble(), 1e-15);
        Assert.InRange(weight.GetProperty("values").GetProperty("first").GetInt32(), 31 * 96, (32 * 96) - 1);
        DiffPlainTests.AssertError(packed.Values("F16"), packed.Decode(changed, "F16"), weight.GetProperty("values"));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(7871, false)]
    [InlineData(2222, true)]
    public void Diff_OneInt4Code_IsNamedExactly(int index, bool symmetric)
    {
        var packed = new HandGroups4 { Symmetric = symmetric };
        List<TestTensor> changed = packed.Tensors();
        // Unlike nf4, the first of a byte is in its low half.
        changed[0].Data[index / 2] ^= (byte)(index % 2 == 0 ? 0x03 : 0x30);

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Empty(DiffOf.Changes(weight));
        Assert.Equal(["weight"], DiffOf.Names(weight.GetProperty("parts_differing")));
        AssertCodes(weight, 7872, 1, index);
        AssertScales(weight, 123, 0, null);
        Assert.Equal((index, 1), (weight.GetProperty("values").GetProperty("first").GetInt32(), weight.GetProperty("values").GetProperty("differing").GetInt32()));
        DiffPlainTests.AssertError(packed.Values(), packed.Decode(changed), weight.GetProperty("values"));
    }

    [Theory]
    [InlineData("BF16", 2)]
    [InlineData("F16", 2)]
    [InlineData("F32", 4)]
    public void Diff_OneScale_IsNamedExactly(string dtype, int size)
    {
        var packed = new HandGroups4 { DType = dtype };
        List<TestTensor> changed = packed.Tensors();
        changed[1].Data[(41 * size) + size - 2] ^= 0x20;

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Equal(["weight_scale"], DiffOf.Names(weight.GetProperty("parts_differing")));
        AssertCodes(weight, 7872, 0, null);
        AssertScales(weight, 123, 1, 41);
        Assert.InRange(weight.GetProperty("values").GetProperty("first").GetInt32(), 41 * 64, (42 * 64) - 1);
        DiffPlainTests.AssertError(packed.Values(), packed.Decode(changed), weight.GetProperty("values"));
    }

    /// <summary>Rows and groups that reach over the end of a unit of work.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Diff_ScalesOfValuesInSeveralUnits_AreCountedOnce(bool isInt8)
    {
        List<TestTensor> Tensors() => isInt8
            ? new HandRows8 { Rows = 5, Columns = 300_001 }.Tensors()
            : new HandGroups4 { Rows = 1003, Columns = 744, GroupSize = 24 }.Tensors();
        List<TestTensor> changed = Tensors();
        int size = isInt8 ? 4 : 2, count = changed[1].Data.Length / size;
        for (int i = 0; i < count; i++) changed[1].Data[(i * size) + size - 2] ^= 0x20;

        JsonElement weight = DiffOf.Tensors(_folder, Tensors(), changed, "--max-memory", "5MB").Only();

        AssertScales(weight, count, count, 0);
    }

    [Fact]
    public void Diff_OneZeroPoint_IsNamedAndTouchesItsGroupOnly()
    {
        var packed = new HandGroups4 { Symmetric = false };
        List<TestTensor> changed = packed.Tensors();
        // Stripe 1, group 2, its third byte: rows 12 (low half) and 13.
        changed[3].Data[(((1 * 3) + 2) * 4) + 2] ^= 0x10;

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Equal(["weight_zero_point"], DiffOf.Names(weight.GetProperty("parts_differing")));
        AssertCodes(weight, 7872, 0, null);
        AssertScales(weight, 123, 0, null);
        Assert.Equal((64, (13 * 192) + 128), (weight.GetProperty("values").GetProperty("differing").GetInt32(), weight.GetProperty("values").GetProperty("first").GetInt32()));
        DiffPlainTests.AssertError(packed.Values(), packed.Decode(changed), weight.GetProperty("values"));
    }

    /// <summary>41 rows: the last word's other seven are padding.</summary>
    [Fact]
    public void Diff_PaddingOfZeroPoints_DiffersInBytesAndInNoValue()
    {
        var packed = new HandGroups4 { Symmetric = false };
        List<TestTensor> changed = packed.Tensors();
        changed[3].Data[^1] ^= 0x70;

        JsonElement weight = DiffOf.Tensors(_folder, packed.Tensors(), changed).Only();

        Assert.Equal(["weight_zero_point"], DiffOf.Names(weight.GetProperty("parts_differing")));
        Assert.Equal(0, weight.GetProperty("values").GetProperty("differing").GetInt32());
        Assert.Contains("bytes, no value", Screen(), StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_Int8WeightFormat_IsNoPartOfTheWeight() =>
        Assert.Equal(ExitCode.Done, DiffOf.Tensors(_folder, new HandRows8().Tensors(), new HandRows8 { HasFormat = false }.Tensors()).Run.Exit);

    [Theory]
    [InlineData("group_size")]
    [InlineData("symmetric")]
    [InlineData("dtype")]
    [InlineData("shape")]
    public void Diff_OtherInt4Form_IsNamed(string what)
    {
        HandGroups4 a = new(), b = what switch
        {
            "group_size" => new HandGroups4 { GroupSize = 32 },
            "symmetric" => new HandGroups4 { Symmetric = false },
            "dtype" => new HandGroups4 { DType = "F16" },
            _ => new HandGroups4 { Rows = 123, Columns = 64 },
        };

        JsonElement weight = DiffOf.Tensors(_folder, a.Tensors(), b.Tensors()).Only();

        Assert.Equal([what], DiffOf.Changes(weight).Select(change => change[..change.IndexOf(':', StringComparison.Ordinal)]));
        Assert.Equal(what == "dtype", weight.TryGetProperty("codes", out _));
        if (what == "shape") Assert.False(weight.TryGetProperty("values", out _));
        else DiffPlainTests.AssertError(a.Values(), b.Values(), weight.GetProperty("values"));
        Assert.Contains(what, Screen(), StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_Int8AgainstInt4_ComparesValues()
    {
        var rows = new HandRows8 { Rows = 41, Columns = 192 };
        var groups = new HandGroups4 { Symmetric = false };

        JsonElement forth = DiffOf.Tensors(_folder, rows.Tensors(), groups.Tensors()).Only();
        Assert.Contains("int4 g64 asymmetric BF16", Screen(), StringComparison.Ordinal);
        JsonElement back = DiffOf.Tensors(_folder, groups.Tensors(), rows.Tensors()).Only();

        Assert.Equal(["quant_type: int8 -> int4"], DiffOf.Changes(forth));
        Assert.Equal(["quant_type: int4 -> int8"], DiffOf.Changes(back));
        Assert.Equal("""{"quant_type":"int8","shape":[41,192]}""", forth.GetProperty("a").GetRawText());
        Assert.Equal("""{"quant_type":"int4","dtype":"BF16","group_size":64,"symmetric":false,"shape":[41,192]}""", forth.GetProperty("b").GetRawText());
        Assert.False(forth.TryGetProperty("codes", out _));
        DiffPlainTests.AssertError(rows.Values("F16"), groups.Values(), forth.GetProperty("values"));
        DiffPlainTests.AssertError(groups.Values(), rows.Values("F16"), back.GetProperty("values"));
    }

    [Fact]
    public void Diff_AgainstNf4_ComparesValues()
    {
        HandPacked nf4 = new() { Rows = 41, Columns = 192, DType = "float16" };
        HandRows8 rows = new() { Rows = 41, Columns = 192 };

        JsonElement weight = DiffOf.Tensors(_folder, nf4.Tensors(), rows.Tensors()).Only();

        Assert.Equal(["quant_type: nf4 -> int8"], DiffOf.Changes(weight));
        DiffPlainTests.AssertError(nf4.Values(), rows.Values("F16"), weight.GetProperty("values"));
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("F32")]
    public void Diff_PackedAgainstItsOwnValues_HasNoError(string dtype)
    {
        HandGroups4 groups = new() { DType = dtype, Symmetric = false };
        HandRows8 rows = new();
        TestTensor plainGroups = new(groups.Key, dtype, [41, 192], Stored.Bytes(dtype, groups.Values()));
        TestTensor plainRows = new(rows.Key, "F16", [48, 96], Stored.Bytes("F16", rows.Values("F16")));

        foreach (JsonElement weight in (JsonElement[])
            [
                DiffOf.Tensors(_folder, groups.Tensors(), [plainGroups]).Only(), DiffOf.Tensors(_folder, [plainGroups], groups.Tensors()).Only(),
                DiffOf.Tensors(_folder, rows.Tensors(), [plainRows]).Only(), DiffOf.Tensors(_folder, [plainRows], rows.Tensors()).Only(),
            ])
        {
            Assert.StartsWith("quantized: ", Assert.Single(DiffOf.Changes(weight)), StringComparison.Ordinal);
            Assert.Equal(0, weight.GetProperty("values").GetProperty("differing").GetInt32());
        }
    }

    [Fact]
    public void Diff_AnyThreadsAndMemory_SaysTheSame()
    {
        HandRows8 rows = new() { Path = "model.layers.0.mlp.down_proj", Rows = 5, Columns = 300_001 };
        HandGroups4 groups = new() { Rows = 1003, Columns = 744, GroupSize = 24, Symmetric = false };
        List<TestTensor> a = [.. rows.Tensors(), .. groups.Tensors()], b = [.. a.Select(tensor => tensor with { Data = [.. tensor.Data] })];
        b[0].Data[1_000_000] ^= 1;
        b[3].Data[200_000] ^= 0x33;
        b[6].Data[5001] ^= 0x11;
        string pathA = _folder.Write("a.safetensors", CheckpointBuilder.Safetensors(a)), pathB = _folder.Write("b.safetensors", CheckpointBuilder.Safetensors(b));

        DiffOf first = DiffOf.Paths(pathA, pathB, "--threads", "1");

        Assert.Equal(1_000_000, first.Of(rows.Key).GetProperty("codes").GetProperty("first").GetInt32());
        Assert.Equal(["weight", "weight_zero_point"], DiffOf.Names(first.Of(groups.Key).GetProperty("parts_differing")));
        DiffPlainTests.AssertError(rows.Values("F16"), rows.Decode(b, "F16"), first.Of(rows.Key).GetProperty("values"));
        DiffPlainTests.AssertError(groups.Values(), groups.Decode(b[3..]), first.Of(groups.Key).GetProperty("values"));
        foreach (string[] options in (string[][])[["--threads", "5"], ["--threads", "2", "--max-memory", "5MB"]])
            Assert.Equal(first.Differing.Select(weight => weight.GetRawText()), DiffOf.Paths(pathA, pathB, options).Differing.Select(weight => weight.GetRawText()));
    }

    [Fact]
    public void Diff_Gpt2AgainstItsInt8_LooksThroughTheTransposition()
    {
        TestTensor conv = new("h.0.attn.c_attn.weight", "F32", [64, 192], HandPacked.Bytes(FloatPalette.Normals(7, 64 * 192, 0.05f)));
        string source = CheckpointBuilder.SingleFile(_folder["source"], [conv], """{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}""");
        ToolRun.Succeed("quantize", source, "--output", _folder["int8"], "--type", "int8");

        JsonElement weight = DiffOf.Paths(source, _folder["int8"]).Of(conv.Name);

        Assert.InRange(weight.GetProperty("values").GetProperty("relative_rmse").GetDouble(), 0.004, 0.008);
        Assert.Equal(["quantized: F32 -> int8"], DiffOf.Changes(weight));
    }

    [Fact]
    public void Diff_OursAgainstBitsandbytes_IsEqual()
    {
        ToolRun.Succeed("quantize", Golden.File("tiny-llama", "source"), "--output", _folder["int8"], "--type", "int8");

        Assert.Equal(ExitCode.Done, DiffOf.Paths(_folder["int8"], Golden.File("tiny-llama", "int8", "model.safetensors")).Run.Exit);
    }

    private static void AssertCodes(JsonElement weight, int count, int changed, int? first)
    {
        JsonElement codes = weight.GetProperty("codes");
        Assert.Equal((count, changed), (codes.GetProperty("count").GetInt32(), codes.GetProperty("changed").GetInt32()));
        Assert.Equal(first?.ToString() ?? "null", codes.GetProperty("first").GetRawText());
    }

    private static void AssertScales(JsonElement weight, int blocks, int changed, int? first)
    {
        JsonElement absmax = weight.GetProperty("absmax");
        Assert.Equal((blocks, changed), (absmax.GetProperty("blocks").GetInt32(), absmax.GetProperty("changed").GetInt32()));
        Assert.Equal(first?.ToString() ?? "null", absmax.GetProperty("first_block").GetRawText());
    }

    private string Screen() => ToolRun.Of("diff", _folder["a.safetensors"], _folder["b.safetensors"]).Out;
}
