using System.Runtime.InteropServices;
using Bnb.Engine.Devices;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Forward;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;
using Bnb.Formats.Checkpoints;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>One of the small models of <c>tests/golden/logits</c> and what transformers computed with it.</summary>
internal sealed class GoldenModel(string name)
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetDirectories(Golden.File("logits")).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    private readonly GoldenTensors _expected = GoldenTensors.Load("logits", name, "expected.safetensors");

    public string Folder { get; } = Golden.File("logits", name);

    /// <summary>Contexts and tokens of each.</summary>
    public (int Rows, int Tokens) IdShape => ((int)_expected.Shape("input_ids")[0], (int)_expected.Shape("input_ids")[1]);

    public int[] Ids => [.. MemoryMarshal.Cast<byte, long>(_expected.Bytes("input_ids")).ToArray().Select(id => (int)id)];

    public int States => _expected.Names.Count(tensor => tensor.StartsWith("hidden_states.", StringComparison.Ordinal));

    /// <summary>The largest |computed - expected| as a share of the largest |expected|. The files have the last positions of each
    /// context; the others are behind them, since a token depends on all before it.</summary>
    /// <param name="computed">All positions of all contexts.</param>
    public double LargestError(string tensor, TokenMatrix computed)
    {
        float[] expected = _expected.Floats(tensor);
        int kept = (int)_expected.Shape(tensor)[1], width = (int)_expected.Shape(tensor)[2], tokens = IdShape.Tokens;
        Assert.Equal((IdShape.Rows * tokens, width), (computed.Rows, computed.Width));
        double error = 0, largest = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            int row = i / (kept * width), position = tokens - kept + (i / width % kept);
            error = Math.Max(error, Math.Abs((double)expected[i] - computed.Row((row * tokens) + position)[i % width]));
            largest = Math.Max(largest, Math.Abs(expected[i]));
        }

        return error / largest;
    }

    /// <summary>Runs the forward pass.</summary>
    /// <param name="see">Gets each complete hidden state by its number.</param>
    /// <returns>Logits of all positions.</returns>
    public TokenMatrix Run(ForwardOptions options, Action<int, TokenMatrix>? see = null, ImportanceRecorder? importance = null)
    {
        QuantizedCheckpoint checkpoint = QuantizedCheckpoint.Read(Checkpoint.Open(Folder, requireConfig: true));
        DecoderForm model = DecoderFamilies.Describe(checkpoint.Source.Config!, checkpoint.Source.ConfigPath!, IdShape.Tokens);
        using var engine = new CpuEngine(options.Path);
        using var store = new WeightStore(checkpoint, model.BasePrefix, options.ComputeType, engine);
        var pass = new ForwardPass(
            model, store, Ids, [.. Enumerable.Repeat(IdShape.Tokens, IdShape.Rows)], options, new WeightPool(), new Workspace(), importance);
        foreach (Stage stage in pass.Stages)
        {
            using LoadedWeights weights = pass.Load(stage, TestContext.Current.CancellationToken);
            pass.Run(stage, weights, TestContext.Current.CancellationToken);
            if (stage.Completes is { } state) see?.Invoke(state, pass.Hidden);
        }

        int vocabulary = pass.Model.Vocabulary, tokens = Ids.Length;
        var logits = new TokenMatrix(new float[tokens * vocabulary], 0, tokens, vocabulary);
        pass.Logits(pass.LoadHead(0, vocabulary), 0, logits);
        return logits;
    }

    /// <summary>The default way to compute.</summary>
    public static ForwardOptions Options(int threads = 2) => new(threads, KernelPaths.Selected, ElementType.F32);
}
