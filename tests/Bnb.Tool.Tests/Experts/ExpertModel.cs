using System.Globalization;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Experts;

/// <summary>
/// A small model of a family whose experts are stored one by one, and its twin with the same values that has them as stacks, built
/// here matrix by matrix.
/// </summary>
/// <param name="Architecture">Name of the class.</param>
/// <param name="ModelType">Its <c>model_type</c>.</param>
/// <param name="Model">What comes before <c>layers.</c>.</param>
/// <param name="Block">Name of the block that has experts.</param>
/// <param name="Leaves">Names of gate, up and down; two where there is no gate.</param>
/// <param name="IsTransposed">The twin has matrices as [in, out].</param>
internal sealed record ExpertModel(string Architecture, string ModelType, string Model, string Block, string[] Leaves, bool IsTransposed = false)
{
    private const int Experts = 3;
    private const int Hidden = 128;
    private const int Inner = 64;

    private static readonly string[] GateUpDown = ["gate_proj", "up_proj", "down_proj"];

    /// <summary>One of each kind.</summary>
    public static readonly IReadOnlyDictionary<string, ExpertModel> All = new ExpertModel[]
    {
        new("Qwen3MoeForCausalLM", "qwen3_moe", "model.", "mlp", GateUpDown),
        new("Qwen2MoeForCausalLM", "qwen2_moe", "model.", "mlp", GateUpDown),
        new("MixtralForCausalLM", "mixtral", "model.", "block_sparse_moe", ["w1", "w3", "w2"]) { StoredBlock = "mlp" },
        new("DeepseekV3ForCausalLM", "deepseek_v3", "model.", "mlp", GateUpDown),
        new("Qwen3_5MoeForConditionalGeneration", "qwen3_5_moe", "model.language_model.", "mlp", GateUpDown) { HasPrediction = true },
        new("NemotronHForCausalLM", "nemotron_h", "backbone.", "mixer", ["up_proj", "down_proj"]),
        new("Llama4ForConditionalGeneration", "llama4", "language_model.model.", "feed_forward", GateUpDown, IsTransposed: true),
        new("Qwen3VLMoeForConditionalGeneration", "qwen3_vl_moe", "model.language_model.", "mlp", GateUpDown, IsTransposed: true),
    }.ToDictionary(model => model.ModelType);

    /// <summary>The block's name in the twin.</summary>
    public string StoredBlock { get; init; } = Block;

    /// <summary>It has a layer that predicts a further token, outside of the model.</summary>
    public bool HasPrediction { get; init; }

    private string Config => $"{{\"architectures\": [\"{Architecture}\"], \"model_type\": \"{ModelType}\", \"torch_dtype\": \"bfloat16\"}}\n";

    private IEnumerable<string> Layers => [$"{Model}layers.0.", $"{Model}layers.1.", .. HasPrediction ? (string[])["mtp.layers.0."] : []];

    /// <summary>Writes the model with its experts one by one.</summary>
    public string WriteOneByOne(string folder, string dtype = "BF16") => CheckpointBuilder.SingleFile(
        folder,
        [
            .. Others(Block, dtype),
            .. from layer in Layers from expert in Enumerable.Range(0, Experts) from leaf in Leaves select Expert(layer, expert, leaf, dtype),
        ],
        Config);

    /// <summary>Writes the twin, in two files.</summary>
    public string WriteStacks(string folder, string dtype = "BF16") => CheckpointBuilder.Sharded(
        folder, [[.. Others(StoredBlock, dtype)], [.. Layers.SelectMany(layer => Stacks(layer, dtype))]], Config);

    /// <summary>The stacks of a layer.</summary>
    public IEnumerable<TestTensor> Stacks(string layer, string dtype = "BF16")
    {
        string experts = $"{layer}{StoredBlock}.experts.";
        yield return Stack(experts + (Leaves.Length == 3 ? "gate_up_proj" : Leaves[0]), layer, Leaves[..^1], dtype);
        yield return Stack(experts + "down_proj", layer, Leaves[^1..], dtype);
    }

    private TestTensor Stack(string name, string layer, string[] leaves, string dtype)
    {
        List<byte[]> experts = [];
        long rows = 0, columns = 0;
        for (int expert = 0; expert < Experts; expert++)
        {
            List<TestTensor> parts = [.. leaves.Select(leaf => Expert(layer, expert, leaf, dtype))];
            (rows, columns) = (parts.Sum(part => part.Shape[0]), parts[0].Shape[1]);
            byte[] matrix = [.. parts.SelectMany(part => part.Data)];
            experts.Add(IsTransposed ? Turned(matrix, (int)rows, (int)columns) : matrix);
        }

        return new TestTensor(name, dtype, IsTransposed ? [Experts, columns, rows] : [Experts, rows, columns], [.. experts.SelectMany(matrix => matrix)]);
    }

    private IEnumerable<TestTensor> Others(string block, string dtype)
    {
        string router = ModelType == "llama4" ? "router" : "gate";
        yield return Random(Model + "embed_tokens.weight", dtype, 32, Hidden);
        foreach (string layer in Layers)
        {
            yield return Random(layer + (ModelType == "nemotron_h" ? "mixer.q_proj.weight" : "self_attn.q_proj.weight"), dtype, Hidden, Hidden);
            yield return Random(layer + (ModelType == "nemotron_h" ? "mixer.o_proj.weight" : "self_attn.o_proj.weight"), dtype, Hidden, Hidden);
            yield return Random($"{layer}{block}.{router}.weight", dtype, Experts, Hidden) with { Data = Random($"{layer}{router}", dtype, Experts, Hidden).Data };
            yield return Random(layer + "input_layernorm.weight", dtype, Hidden);
        }
    }

    private TestTensor Expert(string layer, int expert, string leaf, string dtype)
    {
        bool isDown = leaf == Leaves[^1];
        string name = string.Create(CultureInfo.InvariantCulture, $"{layer}{Block}.experts.{expert}.{leaf}.weight");
        return Random(name, dtype, isDown ? Hidden : Inner, isDown ? Inner : Hidden);
    }

    private static TestTensor Random(string name, string dtype, params long[] shape)
    {
        int count = (int)shape.Aggregate(1L, (product, size) => product * size);
        float[] values = FloatPalette.Normals(name.Sum(character => character) * 31 + name.Length, count, 0.05f);
        byte[] data = dtype switch
        {
            "BF16" => [.. values.SelectMany(value => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)))],
            "F16" => [.. values.SelectMany(value => BitConverter.GetBytes((Half)value))],
            "F32" => [.. values.SelectMany(BitConverter.GetBytes)],
            _ => [.. values.SelectMany(value => BitConverter.GetBytes((double)value))],
        };
        return new TestTensor(name, dtype, shape, data);
    }

    /// <summary>[columns, rows] of [rows, columns].</summary>
    private static byte[] Turned(byte[] matrix, int rows, int columns)
    {
        int size = matrix.Length / rows / columns;
        byte[] turned = new byte[matrix.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
                matrix.AsSpan(((row * columns) + column) * size, size).CopyTo(turned.AsSpan(((column * rows) + row) * size));
        }

        return turned;
    }
}
