using System.Runtime.InteropServices;
using Bnb.Engine.Devices;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Forward;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;
using Bnb.Formats.Checkpoints;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>Variants of families that no golden model has, against a plain computation in float64 of one head and one layer.</summary>
public sealed class FamilyVariantTests : IDisposable
{
    private const int Vocabulary = 11;
    private const int Hidden = 8;
    private const int Narrow = 4;
    private const int Wide = 12;
    private static readonly int[] Ids = [3, 7, 0, 10, 7];

    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, (int Rows, int Columns, float[] Values)> _weights = [];
    private int _seed;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, false, true)]
    [InlineData(false, true, true)]
    [InlineData(true, true, false)]
    public void Run_OptWithNarrowEmbeddings_NormsWhereTheConfigSays(bool before, bool affine, bool remove)
    {
        Matrix("model.decoder.embed_tokens.weight", Vocabulary, Narrow);
        Matrix("model.decoder.embed_positions.weight", 10, Hidden);
        Matrix("model.decoder.project_in.weight", Hidden, Narrow);
        Matrix("model.decoder.project_out.weight", Narrow, Hidden);
        foreach (string name in (string[])["q_proj", "k_proj", "v_proj", "out_proj"]) Linear($"model.decoder.layers.0.self_attn.{name}", Hidden, Hidden);
        Linear("model.decoder.layers.0.fc1", Wide, Hidden);
        Linear("model.decoder.layers.0.fc2", Hidden, Wide);
        foreach (string name in (string[])["layers.0.self_attn_layer_norm", "layers.0.final_layer_norm", "final_layer_norm"])
            if (affine) Norm("model.decoder." + name, Hidden);

        double[][] logits = Logits($$"""
            {"model_type": "opt", "vocab_size": 11, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "ffn_dim": 12, "max_position_embeddings": 8,
             "word_embed_proj_dim": 4, "do_layer_norm_before": {{Json(before)}}, "layer_norm_elementwise_affine": {{Json(affine)}}, "_remove_final_layer_norm": {{Json(remove)}}}
            """);

        double[][] x = [.. Ids.Select((id, position) => Add(Times("model.decoder.project_in", Row("model.decoder.embed_tokens.weight", id)), Row("model.decoder.embed_positions.weight", position + 2)))];
        const string Layer = "model.decoder.layers.0.";
        double[][] attended = Attend(
            before ? [.. x.Select(row => Normed(Layer + "self_attn_layer_norm", row))] : x,
            Layer + "self_attn.", "out_proj", heads: 2, (_, head, _) => head);
        for (int t = 0; t < x.Length; t++)
        {
            x[t] = Add(x[t], attended[t]);
            if (!before) x[t] = Normed(Layer + "self_attn_layer_norm", x[t]);
            double[] wide = Times(Layer + "fc1", before ? Normed(Layer + "final_layer_norm", x[t]) : x[t]);
            x[t] = Add(x[t], Times(Layer + "fc2", [.. wide.Select(value => Math.Max(value, 0))]));
            if (!before) x[t] = Normed(Layer + "final_layer_norm", x[t]);
            if (before && !remove) x[t] = Normed("model.decoder.final_layer_norm", x[t]);
            AssertClose(Times("model.decoder.embed_tokens", Times("model.decoder.project_out", x[t])), logits[t]);
        }
    }

    [Fact]
    public void Run_StableLmWithNormsOfHeads_NormsEachWithItsOwnWeights()
    {
        Matrix("model.embed_tokens.weight", Vocabulary, Hidden);
        Matrix("lm_head.weight", Vocabulary, Hidden);
        const string Layer = "model.layers.0.";
        Linear(Layer + "self_attn.q_proj", Hidden, Hidden);
        Linear(Layer + "self_attn.k_proj", 4, Hidden);
        Linear(Layer + "self_attn.v_proj", 4, Hidden);
        Matrix(Layer + "self_attn.o_proj.weight", Hidden, Hidden);
        for (int head = 0; head < 2; head++) Vector($"{Layer}self_attn.q_layernorm.norms.{head}.weight", 4);
        Vector($"{Layer}self_attn.k_layernorm.norms.0.weight", 4);
        Matrix(Layer + "mlp.gate_proj.weight", Wide, Hidden);
        Matrix(Layer + "mlp.up_proj.weight", Wide, Hidden);
        Matrix(Layer + "mlp.down_proj.weight", Hidden, Wide);
        Norm(Layer + "input_layernorm", Hidden);
        Norm("model.norm", Hidden);

        double[][] logits = Logits("""
            {"model_type": "stablelm", "vocab_size": 11, "hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 1,
             "intermediate_size": 12, "qk_layernorm": true, "use_parallel_residual": true, "use_qkv_bias": true, "partial_rotary_factor": 0.5}
            """);

        double[][] x = [.. Ids.Select(id => Row("model.embed_tokens.weight", id))];
        double[][] normed = [.. x.Select(row => Normed(Layer + "input_layernorm", row))];
        double[][] attended = Attend(normed, Layer + "self_attn.", "o_proj", heads: 2, (name, head, position) =>
            Turned(name == "v_proj" ? head : Normed($"{Layer}self_attn.{name[0]}_layernorm.norms.{position.Head}", head), name, position.Token));
        for (int t = 0; t < x.Length; t++)
        {
            double[] gate = Times(Layer + "mlp.gate_proj", normed[t]), up = Times(Layer + "mlp.up_proj", normed[t]);
            double[] down = Times(Layer + "mlp.down_proj", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]);
            AssertClose(Times("lm_head", Normed("model.norm", Add(Add(x[t], attended[t]), down))), logits[t]);
        }

        // One pair of the four channels is turned, by one radian a position.
        static double[] Turned(double[] head, string name, int position) => name == "v_proj" ? head :
            [(head[0] * Math.Cos(position)) - (head[1] * Math.Sin(position)), (head[1] * Math.Cos(position)) + (head[0] * Math.Sin(position)), head[2], head[3]];
    }

    private static string Json(bool value) => value ? "true" : "false";

    /// <summary>Causal attention with heads of four channels, one key head for all where the projections are that narrow.</summary>
    private double[][] Attend(
        double[][] x, string module, string output, int heads, Func<string, double[], (int Token, int Head), double[]> change)
    {
        double[][] Heads(string name, int token)
        {
            double[] all = Times(module + name, x[token]);
            return [.. all.Chunk(4).Select((head, index) => change(name, head, (token, index)))];
        }

        double[][][] q = [.. x.Select((_, t) => Heads("q_proj", t))], k = [.. x.Select((_, t) => Heads("k_proj", t))], v = [.. x.Select((_, t) => Heads("v_proj", t))];
        return [.. x.Select((_, t) =>
        {
            var mixed = new List<double>();
            for (int head = 0; head < heads; head++)
            {
                int keyHead = k[0].Length == heads ? head : 0;
                double[] weights = [.. Enumerable.Range(0, t + 1).Select(other => Math.Exp(q[t][head].Zip(k[other][keyHead], (a, b) => a * b).Sum() / 2))];
                for (int c = 0; c < 4; c++) mixed.Add(Enumerable.Range(0, t + 1).Sum(other => weights[other] * v[other][keyHead][c]) / weights.Sum());
            }

            return Times(module + output, [.. mixed]);
        })];
    }

    private double[][] Logits(string config)
    {
        string folder = CheckpointBuilder.SingleFile(
            _folder["model"],
            [.. _weights.Select(item => new TestTensor(
                item.Key, "F32", item.Value.Columns == 1 ? [item.Value.Rows] : [item.Value.Rows, item.Value.Columns],
                MemoryMarshal.AsBytes<float>(item.Value.Values).ToArray()))],
            config);
        QuantizedCheckpoint checkpoint = QuantizedCheckpoint.Read(Checkpoint.Open(folder, requireConfig: true));
        DecoderForm model = DecoderFamilies.Describe(checkpoint.Source.Config!, "config.json", Ids.Length);
        ForwardOptions options = GoldenModel.Options();
        using var engine = new CpuEngine(options.Path);
        using var store = new WeightStore(checkpoint, model.BasePrefix, options.ComputeType, engine);
        var pass = new ForwardPass(model, store, Ids, [Ids.Length], options, new WeightPool(), new Workspace());
        foreach (Stage stage in pass.Stages)
        {
            using LoadedWeights weights = pass.Load(stage, TestContext.Current.CancellationToken);
            pass.Run(stage, weights, TestContext.Current.CancellationToken);
        }

        var logits = new TokenMatrix(new float[Ids.Length * Vocabulary], 0, Ids.Length, Vocabulary);
        pass.Logits(pass.LoadHead(0, Vocabulary), 0, logits);
        return [.. Enumerable.Range(0, Ids.Length).Select(row => logits.Row(row).ToArray().Select(value => (double)value).ToArray())];
    }

    private void Matrix(string name, int rows, int columns)
    {
        var random = new Random(++_seed);
        _weights[name] = (rows, columns, [.. Enumerable.Range(0, rows * columns).Select(_ => (random.NextSingle() - 0.5f) * 2)]);
    }

    private void Vector(string name, int length) => Matrix(name, length, 1);

    private void Linear(string module, int rows, int columns)
    {
        Matrix(module + ".weight", rows, columns);
        Vector(module + ".bias", rows);
    }

    private void Norm(string module, int width)
    {
        Vector(module + ".weight", width);
        Vector(module + ".bias", width);
    }

    private double[] Row(string name, int row) =>
        [.. _weights[name].Values.Skip(row * _weights[name].Columns).Take(_weights[name].Columns).Select(value => (double)value)];

    private double[] Times(string module, double[] x)
    {
        (int rows, _, _) = _weights[module + ".weight"];
        return [.. Enumerable.Range(0, rows).Select(row =>
            Row(module + ".weight", row).Zip(x, (w, value) => w * value).Sum() + (_weights.TryGetValue(module + ".bias", out var bias) ? bias.Values[row] : 0))];
    }

    private double[] Normed(string module, double[] x)
    {
        double mean = x.Average(), scale = 1 / Math.Sqrt(x.Average(value => (value - mean) * (value - mean)) + 1e-5);
        return [.. x.Select((value, i) => ((value - mean) * scale * (_weights.TryGetValue(module + ".weight", out var weight) ? weight.Values[i] : 1))
            + (_weights.TryGetValue(module + ".bias", out var bias) ? bias.Values[i] : 0))];
    }

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static void AssertClose(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-4);
    }
}
