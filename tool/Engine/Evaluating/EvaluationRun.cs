using System.Diagnostics;
using Bnb.Engine.Devices;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Forward;
using Bnb.Engine.Evaluating.Measures;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;
using Bnb.Engine.Events;
using Bnb.Engine.Work;
using Bnb.Formats.Tensors;
using Bnb.Quant.Backends;

namespace Bnb.Engine.Evaluating;

/// <summary>
/// Takes two models through the same tokens side by side, one stage of one model at a time, and compares them after each layer
/// and at the end. While a stage computes, the weights of the next one are read.
/// </summary>
internal sealed class EvaluationRun : IDisposable
{
    /// <summary>Logits of one model that are in memory together.</summary>
    private const int LogitValues = 1 << 24;

    private const int LeastVocabularyRun = 256;

    private readonly EvaluationPlan _plan;
    private readonly CpuEngine _engine;
    private readonly ComputeEngine _products;
    private readonly ForwardOptions _options;
    private readonly WeightStore _referenceStore;
    private readonly WeightStore _quantizedStore;
    private readonly ForwardPass _reference;
    private readonly ForwardPass _quantized;
    private readonly ImportanceRecorder? _importance;

    /// <param name="plan">What to run.</param>
    /// <param name="events">Told what the device leaves to the CPU; null for nobody.</param>
    /// <exception cref="UserErrorException">A weight is missing or has another shape than the config says. DEVICE: the device is not there.</exception>
    public EvaluationRun(EvaluationPlan plan, IRunEvents? events = null)
    {
        _plan = plan;
        KernelPath path = plan.Request.KernelPath ?? KernelPaths.Selected;
        // Decoding stays on the CPU, which reads the next layer while the device multiplies this one.
        _engine = new CpuEngine(path);
        long work = new[] { plan.Reference, plan.Quantized }.Sum(model => model.Checkpoint.Source.Tensors.Sum(tensor => tensor.ByteCount));
        _products = DeviceSelector.Open(
            new DeviceNeed(plan.Request.Device, plan.Request.MaxDeviceMemoryBytes, work, plan.Request.Threads), path, events ?? NoEvents.Instance);
        _options = new ForwardOptions(plan.Request.Threads, path, plan.Request.ComputeType) { Products = _products };
        _importance = plan.Request.CollectImportance ? new ImportanceRecorder() : null;
        var pool = new WeightPool();
        var workspace = new Workspace();
        _referenceStore = Store(plan.Reference);
        _quantizedStore = Store(plan.Quantized);
        _reference = Pass(plan.Reference.Form, _referenceStore, _importance);
        _quantized = Pass(plan.Quantized.Form, _quantizedStore, null);

        WeightStore Store(EvaluatedModel model) => new(model.Checkpoint, model.Form.BasePrefix, _options.ComputeType, _engine);

        ForwardPass Pass(DecoderForm form, WeightStore store, ImportanceRecorder? importance) =>
            new(form, store, plan.Tokens.Ids, plan.Tokens.Lengths, _options, pool, workspace, importance);
    }

    /// <summary>Bytes of weights as float32 that both models multiply with; the measure of <see cref="Execute"/>'s progress.</summary>
    public long WorkBytes => Sides.Sum(pass => pass.Stages.Sum(stage => stage.Weights.Sum(use => use.Count)) + pass.Model.Head.Weight.Count) * sizeof(float);

    /// <summary>
    /// Bytes that the run needs at most, about: two stages of weights, the hidden states of both models, the wide states of one
    /// batch, and logits.
    /// </summary>
    public long MemoryBytes
    {
        get
        {
            DecoderForm form = _reference.Model;
            long tokens = _plan.Tokens.Ids.Length, batch = Math.Min(tokens, Math.Max(_options.BatchTokens, _plan.Tokens.Lengths.Max()));
            bool keeps = form.Layers.Any(layer => layer.IsParallel || layer.FeedForward is MixtureForm);
            long states = tokens * form.Hidden * (keeps ? 6 : 2), logits = 2 * tokens * VocabularyRun;
            return (2 * Math.Max(_reference.LargestStageBytes, _quantized.LargestStageBytes))
                + (sizeof(float) * (states + (batch * form.WidestStates) + logits + (3L * VocabularyRun * form.Hidden)));
        }
    }

    private ForwardPass[] Sides => [_reference, _quantized];

    private int VocabularyRun =>
        Math.Clamp(LogitValues / _plan.Tokens.Ids.Length, LeastVocabularyRun, Math.Max(LeastVocabularyRun, _reference.Model.Vocabulary));

    /// <summary>Runs both models and compares them.</summary>
    /// <param name="progress">Told what is done, of <see cref="WorkBytes"/>.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public EvaluationResult Execute(PipelineProgress progress, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        var states = new List<StateComparison>();
        // Both sides reach a state before either goes on.
        (ForwardPass Pass, Stage Stage)[] order = [.. Order()];
        Task<LoadedWeights> next = Task.Run(() => order[0].Pass.Load(order[0].Stage, cancellation), cancellation);
        for (int i = 0; i < order.Length; i++)
        {
            (ForwardPass pass, Stage stage) = order[i];
            using LoadedWeights weights = next.GetAwaiter().GetResult();
            if (i + 1 < order.Length)
            {
                (ForwardPass Pass, Stage Stage) following = order[i + 1];
                next = Task.Run(() => following.Pass.Load(following.Stage, cancellation), cancellation);
            }

            progress.Current = stage.Completes is { } state ? $"state {state} of {pass.Model.Layers.Count}" : progress.Current;
            pass.Run(stage, weights, cancellation);
            progress.Add(stage.Weights.Sum(use => use.Count) * sizeof(float));
            if (pass == _quantized && stage.Completes is { } complete) states.Add(StateComparison.Of(complete, _reference.Hidden, _quantized.Hidden));
        }

        LogitComparison logits = CompareLogits(progress, cancellation);
        foreach (CheckpointFile file in _plan.Files) InputCheck.ThrowIfChanged(file);
        return Result(states, logits, watch.Elapsed.TotalSeconds);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _referenceStore.Dispose();
        _quantizedStore.Dispose();
        _engine.Dispose();
        _products.Dispose();
    }

    private IEnumerable<(ForwardPass Pass, Stage Stage)> Order()
    {
        int reference = 0, quantized = 0;
        while (reference < _reference.Stages.Count)
        {
            Stage stage;
            do yield return (_reference, stage = _reference.Stages[reference++]);
            while (stage.Completes is null && reference < _reference.Stages.Count);
            do yield return (_quantized, stage = _quantized.Stages[quantized++]);
            while (stage.Completes is null && quantized < _quantized.Stages.Count);
        }
    }

    private LogitComparison CompareLogits(PipelineProgress progress, CancellationToken cancellation)
    {
        int vocabulary = _reference.Model.Vocabulary, run = VocabularyRun, tokens = _plan.Tokens.Ids.Length;
        float[][] memory = [new float[tokens * run], new float[tokens * run]];
        var measures = new LogitMeasures(_plan.Tokens.Targets);
        progress.Current = "logits";
        Task<float[][]> next = Load(0);
        for (int first = 0; first < vocabulary; first += run)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(run, vocabulary - first);
            float[][] heads = next.GetAwaiter().GetResult();
            if (first + run < vocabulary) next = Load(first + run);
            TokenMatrix[] logits = [.. memory.Select(values => new TokenMatrix(values, 0, tokens, count))];
            for (int side = 0; side < heads.Length; side++)
            {
                Sides[side].Logits(heads[side], first, logits[side]);
                Sides[side].Return(heads[side]);
            }

            measures.Add(first, logits[0], logits[1], _options.Threads);
            progress.Add(2L * count * _reference.Model.Head.Weight.Columns * sizeof(float));
        }

        return measures.Result();

        Task<float[][]> Load(int first) => Task.Run(
            () => Sides.Select(side => side.LoadHead(first, Math.Min(run, vocabulary - first))).ToArray(), cancellation);
    }

    private EvaluationResult Result(List<StateComparison> states, LogitComparison logits, double seconds)
    {
        double[] changes = [.. logits.ReferenceLogs.Zip(logits.QuantizedLogs, (reference, quantized) => Math.Exp(quantized) - Math.Exp(reference))];
        return new EvaluationResult(
            _plan.Request.QuantizedPath, _plan.Request.SourcePath, _plan.Reference.ModelType, _plan.Tokens.Ids.Length, _plan.Tokens.Lengths.Count)
        {
            KernelPath = _products.Name,
            DeviceNote = _products.Note,
            ReferencePerplexity = Math.Exp(-logits.ReferenceLogs.Average()),
            QuantizedPerplexity = Math.Exp(-logits.QuantizedLogs.Average()),
            Divergence = Distribution.Of(logits.Divergence),
            Top1 = logits.SameBest.Count(same => same) / (double)logits.SameBest.Length,
            Top5 = logits.SharedBest.Average(),
            ProbabilityRms = Math.Sqrt(changes.Average(change => change * change)),
            ProbabilityMean = changes.Average(),
            States = states,
            Importance = [.. _importance?.Channels ?? []],
            Seconds = seconds,
        };
    }
}
