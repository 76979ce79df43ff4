using System.Text.Json.Nodes;
using Bnb.Formats.Primitives;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>A small Llama, quantized by the tool, and ways to spoil the result.</summary>
internal static class VerifyModel
{
    public const string Query = "model.layers.0.self_attn.q_proj.weight";
    public const string Key = "model.layers.0.self_attn.k_proj.weight";
    public const string Up = "model.layers.0.mlp.up_proj.weight";
    public const string Down = "model.layers.0.mlp.down_proj.weight";
    public const string Norm = "model.layers.0.input_layernorm.weight";
    public const int Layers = 4;

    public static IReadOnlyList<TestTensor> Tensors(string dtype = "BF16", int seed = 1) =>
    [
        NormalWeights.Of("model.embed_tokens.weight", dtype, seed, 16, 128),
        NormalWeights.Of(Norm, dtype, seed + 1, 128),
        NormalWeights.Of(Query, dtype, seed + 2, 128, 128),
        NormalWeights.Of(Key, dtype, seed + 3, 64, 128),
        NormalWeights.Of(Up, dtype, seed + 4, 192, 128),
        NormalWeights.Of(Down, dtype, seed + 5, 128, 192),
        NormalWeights.Of("lm_head.weight", dtype, seed + 6, 16, 128),
    ];

    public static string Source(string folder, string dtype = "BF16", int seed = 1) =>
        CheckpointBuilder.SingleFile(folder, Tensors(dtype, seed));

    public static string Quantize(string source, string output, params IReadOnlyList<string> options)
    {
        ToolRun.Succeed(["quantize", source, "--output", output, .. options]);
        return output;
    }

    /// <summary>Writes a changed copy of a checkpoint; config.json is the original's text, or what <paramref name="config"/> makes of it.</summary>
    public static string Changed(
        string folder, string copy, Func<IReadOnlyList<TestTensor>, IEnumerable<TestTensor>> change, Func<string, string>? config = null)
    {
        IReadOnlyList<TestTensor> tensors =
        [
            .. OutputFolder.Tensors(folder).Select(pair => new TestTensor(
                pair.Key, pair.Value.Info.DType.Name(), [.. pair.Value.Info.Shape.Dimensions], pair.Value.Bytes)),
        ];
        string text = File.ReadAllText(Path.Combine(folder, "config.json"));
        return CheckpointBuilder.SingleFile(copy, change(tensors), config is null ? text : config(text));
    }

    /// <summary>Writes a copy in which one tensor's bytes are changed in place.</summary>
    public static string Patched(string folder, string copy, string name, Action<byte[]> change) => Changed(folder, copy, tensors =>
    {
        change(tensors.Single(tensor => tensor.Name == name).Data);
        return tensors;
    });

    /// <summary>Writes a copy in which one tensor is another one.</summary>
    public static string Replaced(string folder, string copy, string name, Func<TestTensor, TestTensor> change) =>
        Changed(folder, copy, tensors => tensors.Select(tensor => tensor.Name == name ? change(tensor) : tensor));

    /// <summary>Writes a copy in which members of one weight's quant_state are others.</summary>
    public static string WithState(string folder, string copy, string weight, Action<JsonObject> change) => Changed(folder, copy, tensors =>
        tensors.Select(tensor => tensor.Name.StartsWith(weight + ".quant_state.", StringComparison.Ordinal) ? Restated(tensor, change) : tensor));

    /// <summary>Multiplies float32 values.</summary>
    public static void Scale(byte[] data, float factor, int first = 0, int count = int.MaxValue)
    {
        Span<float> values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(data.AsSpan())[first..];
        for (int i = 0; i < values.Length && i < count; i++) values[i] *= factor;
    }

    private static TestTensor Restated(TestTensor tensor, Action<JsonObject> change)
    {
        JsonObject state = JsonNode.Parse(tensor.Data)!.AsObject();
        change(state);
        byte[] text = System.Text.Encoding.UTF8.GetBytes(state.ToJsonString());
        return tensor with { Shape = [text.Length], Data = text };
    }
}
