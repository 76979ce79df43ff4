using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary>What <c>plan</c> chooses among, beside size and error: groups of int4, layers that loaders fuse, channels that matter.</summary>
public sealed class PlanUnitTests : IDisposable
{
    private const int Columns = 128;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A tensor whose second half of each 64 values is lost beside one large value in the first half.</summary>
    [Theory]
    [InlineData]
    [InlineData("--scale", "search")]
    [InlineData("--scale", "search", "--scale-dtype", "float16")]
    public void Plan_OfInt4_GivesSmallGroupsToTheTensorThatNeedsThem(params string[] options)
    {
        string source = Llama((name, tensor) => name == "model.layers.1.self_attn.o_proj" ? Peaked(tensor, 64) : tensor);
        double uniform = JsonResult.Of(ToolRun.Succeed(["quantize", source, "--dry-run", "--json", "--type", "int4", "--group-size", "64", .. options])).GetProperty("bits_per_parameter").GetDouble();

        PlannedForms planned = PlannedForms.Of(
            source, _folder["recipe.json"], ["--type", "int4", "--group-size", "64", "--target-bits", uniform.ToString("R", CultureInfo.InvariantCulture), .. options]);

        Assert.Equal("int4/32", planned.Forms["model.layers.1.self_attn.o_proj"]);
        Assert.Contains("int4/128", planned.Forms.Values);
        Assert.True(planned.Plan.GetProperty("expected_error").GetDouble() < planned.Plan.GetProperty("uniform_error").GetDouble(), planned.Plan.ToString());
        planned.AssertIsWhatQuantizeMakes(source, _folder["out"]);
        JsonElement settings = JsonElement.Parse(File.ReadAllText(Path.Combine(_folder["out"], "config.json"))).GetProperty("quantization_config");
        Assert.Equal(32, new LoaderTargets(settings).CompressedTensors("model.layers.1.self_attn.o_proj"));
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("int4")]
    public void Plan_OneOfAFusedLayer_GivesAllItsPartsOneForm(string type)
    {
        string source = Llama((name, tensor) => name.EndsWith("1.self_attn.k_proj", StringComparison.Ordinal) ? Peaked(tensor, 32) : tensor);

        foreach (double bits in (double[])[4.9, 5.2, 6, 8, 11, 14])
        {
            PlannedForms planned = PlannedForms.Of(
                source, _folder["recipe.json"],
                ["--type", type, "--target-bits", bits.ToString(CultureInfo.InvariantCulture), .. type == "int4" ? (string[])["--group-size", "64"] : []]);

            for (int layer = 0; layer < 2; layer++)
            {
                AssertOneForm(planned, $"model.layers.{layer}.self_attn.q_proj", $"model.layers.{layer}.self_attn.k_proj", $"model.layers.{layer}.self_attn.v_proj");
                AssertOneForm(planned, $"model.layers.{layer}.mlp.gate_proj", $"model.layers.{layer}.mlp.up_proj");
            }

            File.Delete(planned.RecipePath);
        }
    }

    [Theory]
    [InlineData("nf4", "--double-quant", "true")]
    [InlineData("int4", "--group-size", "64")]
    public void Plan_OneOfTheExperts_GivesTheWholeBlockOneForm(string type, params string[] options)
    {
        var tensors = new List<TestTensor>();
        for (int layer = 0; layer < 2; layer++)
        {
            for (int expert = 0; expert < 3; expert++)
            {
                foreach (string part in (string[])["gate_proj", "up_proj", "down_proj"])
                {
                    string name = $"model.layers.{layer}.mlp.experts.{expert}.{part}.weight";
                    TestTensor tensor = NormalWeights.Of(name, "BF16", tensors.Count, 64, Columns);
                    tensors.Add(layer == 1 && expert == 2 ? Peaked(tensor, 32) : tensor);
                }
            }
        }

        string source = CheckpointBuilder.SingleFile(_folder["source"], tensors, """{"model_type": "qwen3_moe", "torch_dtype": "bfloat16"}""");

        PlannedForms planned = PlannedForms.Of(source, _folder["recipe.json"], ["--type", type, "--target-bits", "11.6", .. options]);

        for (int layer = 0; layer < 2; layer++)
            AssertOneForm(planned, [.. tensors.Where(tensor => tensor.Name.StartsWith($"model.layers.{layer}.", StringComparison.Ordinal)).Select(tensor => tensor.Name[..^".weight".Length])]);
        Assert.Equal("keep", planned.Forms["model.layers.1.mlp.experts.2.up_proj"]);
        Assert.DoesNotContain("int4/32", planned.Forms.Values);
    }

    /// <summary>A channel of small values, which the tensor's own error does not show, matters most.</summary>
    [Theory]
    [InlineData("imatrix", "search")]
    [InlineData("safetensors", "search")]
    [InlineData("safetensors", "absmax")]
    public void Plan_Importance_FindsTheTensorWithAPlantedChannel(string form, string scale)
    {
        const string Planted = "model.layers.1.self_attn.o_proj", Plain = "model.layers.0.mlp.down_proj";
        string source = Llama((name, tensor) => name switch { Planted => SmallChannel(tensor, 5), Plain => Peaked(tensor, 32), _ => tensor });
        string importance = form == "imatrix" ? Imatrix(Planted, 5) : Vector(Planted, 5);
        string[] options = ["--scale", scale, "--target-bits", "5.8"];

        PlannedForms plain = PlannedForms.Of(source, _folder["plain.json"], options);
        PlannedForms weighted = PlannedForms.Of(source, _folder["weighted.json"], [.. options, "--importance", importance]);

        // There is room to keep one of them.
        Assert.Equal(Plain, Assert.Single(plain.Forms, form => form.Value == "keep").Key);
        Assert.Equal(Planted, Assert.Single(weighted.Forms, form => form.Value == "keep").Key);
        // quantize has a use for it with a search only.
        bool searches = scale == "search";
        Assert.Equal(searches, File.ReadAllText(weighted.RecipePath).Contains("\"importance\"", StringComparison.Ordinal));
        weighted.AssertIsWhatQuantizeMakes(source, _folder["out"], searches ? ["--importance", importance] : []);
    }

    private static void AssertOneForm(PlannedForms planned, params IReadOnlyList<string> modules) =>
        Assert.Single(modules.Select(module => planned.Forms.GetValueOrDefault(module)).Distinct());

    private string Llama(Func<string, TestTensor, TestTensor> change)
    {
        var tensors = new List<TestTensor> { NormalWeights.Of("model.embed_tokens.weight", "BF16", 1, 16, Columns) };
        for (int layer = 0; layer < 2; layer++)
        {
            foreach (string part in (string[])["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"])
            {
                string module = $"model.layers.{layer}.{part}";
                tensors.Add(change(module, NormalWeights.Of(module + ".weight", "BF16", tensors.Count, Columns, Columns)));
            }
        }

        return CheckpointBuilder.SingleFile(_folder["source"], tensors);
    }

    /// <summary>One large value in each block, the others below half of the smallest step.</summary>
    private static TestTensor Peaked(TestTensor tensor, int block) =>
        With(tensor, (i, _) => i % block == i / block % 32 ? 0.06f : (i % 2 == 0 ? 0.0023f : -0.0026f) + (i % 7 * 1e-5f));

    private static TestTensor SmallChannel(TestTensor tensor, int column) =>
        With(tensor, (i, value) => i % Columns == column ? value * 0.03f : value);

    private static TestTensor With(TestTensor tensor, Func<int, float, float> change)
    {
        byte[] data = [.. tensor.Data];
        Span<ushort> values = MemoryMarshal.Cast<byte, ushort>(data.AsSpan());
        for (int i = 0; i < values.Length; i++)
            values[i] = (ushort)(BitConverter.SingleToUInt32Bits(change(i, BitConverter.UInt32BitsToSingle((uint)values[i] << 16))) >> 16);
        return tensor with { Data = data };
    }

    private static float[] Weights(int column) => [.. Enumerable.Range(0, Columns).Select(i => i == column ? 1e4f : 1f)];

    private string Vector(string module, int column)
    {
        File.WriteAllBytes(_folder["i.safetensors"], CheckpointBuilder.Safetensors([new TestTensor(module, "F32", [Columns], MemoryMarshal.AsBytes(Weights(column).AsSpan()).ToArray())]));
        return _folder["i.safetensors"];
    }

    /// <summary>llama.cpp's older form: a count; name, calls and values.</summary>
    private string Imatrix(string module, int column)
    {
        string name = module.Replace("model.layers.", "blk.", StringComparison.Ordinal).Replace("self_attn.o_proj", "attn_output.weight", StringComparison.Ordinal);
        File.WriteAllBytes(_folder["i.dat"],
        [
            .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(name.Length), .. System.Text.Encoding.ASCII.GetBytes(name),
            .. BitConverter.GetBytes(1), .. BitConverter.GetBytes(Columns), .. MemoryMarshal.AsBytes(Weights(column).AsSpan()),
        ]);
        return _folder["i.dat"];
    }
}
