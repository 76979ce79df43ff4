using System.Buffers.Binary;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary><c>quantize BASE --merge-lora ADAPTER</c> against what PEFT's merge makes of the same files.</summary>
public sealed class MergeLoraTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Cases =>
        ["plain", "all_linear", "rslora", "patterns", "layers", "bias_saved", "embedding", "dora", "conv1d"];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Merge_GoldenAdapter_IsWithinOneRoundingOfPeft(string name)
    {
        ToolRun.Succeed("quantize", Base(name), "--merge-lora", Golden.File("lora", name), "--output", _folder["out"], "-t", "none");

        var merged = OutputFolder.Tensors(_folder["out"]);
        var before = OutputFolder.Tensors(Base(name));
        GoldenTensors peft = GoldenTensors.Load("lora", name, "merged_bf16.safetensors");
        Assert.Equal(before.Keys.Order(StringComparer.Ordinal), merged.Keys.Order(StringComparer.Ordinal));
        foreach ((string tensor, (var info, byte[] bytes)) in merged)
        {
            Assert.Equal((before[tensor].Info.DType, before[tensor].Info.Shape), (info.DType, info.Shape));
            if (!peft.Names.Contains(tensor)) Assert.True(before[tensor].Bytes.AsSpan().SequenceEqual(bytes), tensor);
            else AssertNear(peft.Bytes(tensor), bytes, before[tensor].Bytes, tensor);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Merge_OfAFloat32Base_IsPeftsToTheLastBits(string name)
    {
        // The same base in float32, as PEFT loads it for the vectors.
        var tensors = OutputFolder.Tensors(Base(name));
        string folder = CheckpointBuilder.SingleFile(
            _folder["base"],
            tensors.Select(tensor => new TestTensor(
                tensor.Key, "F32", [.. tensor.Value.Info.Shape.Dimensions], [.. Widen(tensor.Value.Bytes).SelectMany(BitConverter.GetBytes)])),
            File.ReadAllText(Path.Combine(Base(name), "config.json")));

        ToolRun.Succeed("quantize", folder, "--merge-lora", Golden.File("lora", name), "--output", _folder["out"], "-t", "none");

        GoldenTensors peft = GoldenTensors.Load("lora", name, "merged_f32.safetensors");
        var merged = OutputFolder.Tensors(_folder["out"]);
        Assert.NotEmpty(peft.Names);
        foreach (string tensor in peft.Names)
        {
            float[] expected = peft.Floats(tensor);
            for (int i = 0; i < expected.Length; i++)
            {
                float actual = BinaryPrimitives.ReadSingleLittleEndian(merged[tensor].Bytes.AsSpan(i * 4));
                Assert.True(Math.Abs(actual - expected[i]) <= 4e-7f * Math.Max(0.1f, Math.Abs(expected[i])), $"{tensor} [{i}] is {actual:R}, PEFT has {expected[i]:R}");
            }
        }
    }

    [Theory]
    [InlineData("all_linear", "nf4")]
    [InlineData("all_linear", "int8")]
    [InlineData("dora", "nf4")]
    [InlineData("conv1d", "nf4")]
    [InlineData("conv1d", "int8")]
    [InlineData("embedding", "fp8")]
    public void Quantize_WithAnAdapter_IsQuantizingTheMergedModel(string name, string type)
    {
        ToolRun.Succeed("quantize", Base(name), "--merge-lora", Golden.File("lora", name), "--output", _folder["merged"], "-t", "none");
        ToolRun.Succeed("quantize", _folder["merged"], "--output", _folder["twice"], "-t", type);

        ToolRun.Succeed("quantize", Base(name), "--merge-lora", Golden.File("lora", name), "--output", _folder["once"], "-t", type);

        var once = OutputFolder.Tensors(_folder["once"]);
        var twice = OutputFolder.Tensors(_folder["twice"]);
        Assert.Equal(twice.Keys.Order(StringComparer.Ordinal), once.Keys.Order(StringComparer.Ordinal));
        Assert.All(twice, tensor => Assert.True(tensor.Value.Bytes.AsSpan().SequenceEqual(once[tensor.Key].Bytes), tensor.Key));
        Assert.Equal(File.ReadAllText(_folder["twice", "config.json"]), File.ReadAllText(_folder["once", "config.json"]));
    }

    [Fact]
    public void Merge_DoraOfAnEmbedding_ScalesItsColumns()
    {
        var table = OutputFolder.Tensors(Base("embedding"))["model.embed_tokens.weight"];
        (int entries, int width) = ((int)table.Info.Shape.Dimensions[0], (int)table.Info.Shape.Dimensions[1]);
        float[] a = [.. Enumerable.Range(0, 2 * entries).Select(i => ((i % 11) - 5f) / 8)], b = [.. Enumerable.Range(0, 2 * width).Select(i => ((i % 5) - 2f) / 4)];
        float[] magnitudes = [.. Enumerable.Range(0, width).Select(i => 1 + (i % 3f))];
        Directory.CreateDirectory(_folder["adapter"]);
        File.WriteAllText(_folder["adapter", "adapter_config.json"], """{"peft_type": "LORA", "lora_alpha": 6, "r": 2, "use_dora": true}""");
        File.WriteAllBytes(_folder["adapter", "adapter_model.safetensors"], CheckpointBuilder.Safetensors(
            Tensor("base_model.model.model.embed_tokens.lora_embedding_A", [2, entries], a),
            Tensor("base_model.model.model.embed_tokens.lora_embedding_B", [width, 2], b),
            Tensor("base_model.model.model.embed_tokens.lora_magnitude_vector", [width], magnitudes)));

        ToolRun.Succeed("quantize", Base("embedding"), "--merge-lora", _folder["adapter"], "--output", _folder["out"], "-t", "none");

        float[] before = Widen(table.Bytes), after = Widen(OutputFolder.Tensors(_folder["out"])["model.embed_tokens.weight"].Bytes);
        for (int column = 0; column < width; column++)
        {
            double[] sums = [.. Enumerable.Range(0, entries).Select(row =>
                before[(row * width) + column] + (3.0 * ((b[column * 2] * a[row]) + (b[(column * 2) + 1] * a[entries + row]))))];
            double length = Math.Sqrt(sums.Sum(value => value * value));
            for (int row = 0; row < entries; row++)
            {
                double expected = magnitudes[column] / length * sums[row];
                Assert.Equal(expected, after[(row * width) + column], (Math.Abs(expected) / 256) + 1e-6);
            }
        }
    }

    [Theory]
    [InlineData("all_linear")]
    [InlineData("dora")]
    public void Merge_AdapterAsATorchFile_IsTheSame(string name)
    {
        string adapter = Adapter(name, config => config + " ");
        File.Delete(_folder["adapter", "adapter_model.safetensors"]);
        var tensors = GoldenTensors.Load("lora", name, "adapter_model.safetensors");
        File.WriteAllBytes(
            _folder["adapter", "adapter_model.bin"],
            TorchCheckpoint.Write(tensors.Names.Select(tensor => new TestTensor(tensor, "F32", [.. tensors.Shape(tensor)], tensors.Bytes(tensor)))));
        ToolRun.Succeed("quantize", Base(name), "--merge-lora", Golden.File("lora", name), "--output", _folder["wanted"], "-t", "none");

        ToolRun.Succeed("quantize", Base(name), "--merge-lora", adapter, "--output", _folder["out"], "-t", "none");

        var wanted = OutputFolder.Tensors(_folder["wanted"]);
        Assert.All(OutputFolder.Tensors(_folder["out"]), tensor => Assert.True(wanted[tensor.Key].Bytes.AsSpan().SequenceEqual(tensor.Value.Bytes), tensor.Key));
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public void Merge_SquareConv1DAndLinear_AsksTheLayerAndNotTheFlag(string flag)
    {
        // PEFT sets the flag for each layer by its class; the file keeps that of the last one. A trained bias has the wrapped layer's name.
        float[] a = [.. Enumerable.Range(0, 128).Select(i => (i % 13) - 6f)], b = [.. Enumerable.Range(0, 128).Select(i => (i % 7) - 3f)];
        float[] bias = [.. Enumerable.Range(0, 64).Select(i => (float)i)];
        Directory.CreateDirectory(_folder["adapter"]);
        File.WriteAllText(_folder["adapter", "adapter_config.json"], $$"""{"peft_type": "LORA", "lora_alpha": 1, "r": 2, "bias": "lora_only", "fan_in_fan_out": {{flag}}}""");
        File.WriteAllBytes(_folder["adapter", "adapter_model.safetensors"], CheckpointBuilder.Safetensors(
            Tensor("base_model.model.transformer.h.0.attn.c_proj.lora_A.weight", [2, 64], a),
            Tensor("base_model.model.transformer.h.0.attn.c_proj.lora_B.weight", [64, 2], b),
            Tensor("base_model.model.transformer.h.0.attn.c_proj.base_layer.bias", [64], bias)));

        ToolRun.Succeed("quantize", Base("conv1d"), "--merge-lora", _folder["adapter"], "--output", _folder["out"], "-t", "none");

        var merged = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(bias, Widen(merged["transformer.h.0.attn.c_proj.bias"].Bytes));
        float[] before = Widen(OutputFolder.Tensors(Base("conv1d"))["transformer.h.0.attn.c_proj.weight"].Bytes);
        float[] after = Widen(merged["transformer.h.0.attn.c_proj.weight"].Bytes);
        for (int input = 0; input < 64; input++)
        {
            for (int output = 0; output < 64; output++)
            {
                double expected = before[(input * 64) + output] + (0.5 * ((b[output * 2] * a[input]) + (b[(output * 2) + 1] * a[64 + input])));
                Assert.Equal(expected, after[(input * 64) + output], (Math.Abs(expected) / 256) + 1e-6);
            }
        }
    }

    [Fact]
    public void Merge_AdapterOfAnotherModel_IsRefused()
    {
        ToolRun run = ToolRun.Of("quantize", Golden.File("lora", "base_gpt2"), "--merge-lora", Golden.File("lora", "plain"), "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "LORA-TARGET");
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("\"peft_type\": \"LORA\"", "\"peft_type\": \"LOHA\"", "LORA-UNSUP")]
    [InlineData("\"use_qalora\": false", "\"use_qalora\": true", "LORA-UNSUP")]
    [InlineData("\"lora_bias\": false", "\"lora_bias\": true", "LORA-UNSUP")]
    [InlineData("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_16\"", "LORA-UNSUP")]
    [InlineData("\"target_parameters\": null", "\"target_parameters\": [\"mlp.experts.gate_up_proj\"]", "LORA-UNSUP")]
    public void Merge_AdapterOfAnotherKind_IsRefused(string from, string to, string code)
    {
        string adapter = Adapter("plain", config => config.Replace(from, to, StringComparison.Ordinal));

        Refusal.AssertIs(ToolRun.Of("quantize", Base("plain"), "--merge-lora", adapter, "--output", _folder["out"]), ExitCode.InputUnsupported, code);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("\"use_dora\": false", "\"use_dora\": true", "LORA-LAYOUT")]
    [InlineData("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"(\": 3}", "CFG-SCHEMA")]
    public void Merge_MalformedAdapter_IsRefused(string from, string to, string code)
    {
        string adapter = Adapter("plain", config => config.Replace(from, to, StringComparison.Ordinal));

        Refusal.AssertIs(ToolRun.Of("quantize", Base("plain"), "--merge-lora", adapter, "--output", _folder["out"]), ExitCode.InputMalformed, code);
    }

    [Fact]
    public void Merge_FolderWithoutAnAdapter_IsRefused() => Refusal.AssertIs(
        ToolRun.Of("quantize", Base("plain"), "--merge-lora", _folder["nothing"], "--output", _folder["out"]), ExitCode.InputMissing, "FILE-MISSING");

    [Fact]
    public void Merge_TheAdaptersFile_IsRefusedWithWhatIsTaken()
    {
        ToolRun run = ToolRun.Of("quantize", Base("plain"), "--merge-lora", Golden.File("lora", "plain", "adapter_model.safetensors"), "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.InputMissing, "FILE-KIND");
        Assert.Contains("an adapter is a folder with adapter_config.json", run.Error, StringComparison.Ordinal);
    }

    private static TestTensor Tensor(string name, long[] shape, float[] values) => new(name, "F32", shape, [.. values.SelectMany(BitConverter.GetBytes)]);

    private static string Base(string name) => Golden.File("lora", name == "conv1d" ? "base_gpt2" : "base");

    private string Adapter(string name, Func<string, string> change)
    {
        Directory.CreateDirectory(_folder["adapter"]);
        string config = File.ReadAllText(Golden.File("lora", name, "adapter_config.json"));
        Assert.NotEqual(config, change(config));
        File.WriteAllText(_folder["adapter", "adapter_config.json"], change(config));
        File.Copy(Golden.File("lora", name, "adapter_model.safetensors"), _folder["adapter", "adapter_model.safetensors"]);
        return _folder["adapter"];
    }

    /// <summary>PEFT rounds on the way, so that a value may be the neighbour; of the product's rounding a little more than one
    /// shows where W and the update nearly cancel, and there it is bounded by the sizes of both.</summary>
    private static void AssertNear(byte[] expected, byte[] actual, byte[] original, string tensor)
    {
        float[] theirs = Widen(expected), ours = Widen(actual), base0 = Widen(original);
        Assert.Equal(theirs.Length, ours.Length);
        for (int i = 0; i < theirs.Length; i++)
        {
            float size = Math.Max(Math.Max(Math.Abs(theirs[i]), Math.Abs(base0[i])), Math.Abs(theirs[i] - base0[i]));
            Assert.True(Math.Abs(ours[i] - theirs[i]) <= size / 128, $"{tensor} [{i}] is {ours[i]:R}, PEFT has {theirs[i]:R}");
        }
    }

    private static float[] Widen(byte[] bf16) =>
        [.. Enumerable.Range(0, bf16.Length / 2).Select(i => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bf16.AsSpan(i * 2)) << 16))];
}
