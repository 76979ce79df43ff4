using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>
/// One model and all tokens on their way through it, stage by stage: every stage takes all tokens, so each weight is read once
/// and only one stage's are in memory. The head gives logits for a run of the vocabulary at a time.
/// </summary>
internal sealed class ForwardPass
{
    private readonly WeightStore _store;
    private readonly WeightPool _pool;
    private readonly Operations _operations;
    private readonly ForwardState _state;

    /// <param name="model">What the config describes.</param>
    /// <param name="ids">Tokens of all contexts, one after the other, each below the vocabulary.</param>
    /// <param name="lengths">Tokens of each context.</param>
    /// <param name="pool">Memory for weights; several passes that take turns may share it.</param>
    /// <param name="workspace">Memory of stages; shared alike.</param>
    /// <param name="importance">Gets the activations of every linear layer but the head; null for none.</param>
    /// <exception cref="UserErrorException">MODEL-TENSOR: a weight is missing or has another shape. CONTEXT: the model has
    /// no embedding for some position.</exception>
    public ForwardPass(
        DecoderForm model, WeightStore store, int[] ids, IReadOnlyList<int> lengths, ForwardOptions options, WeightPool pool,
        Workspace workspace, ImportanceRecorder? importance = null)
    {
        Model = WithTies(model, store);
        (_store, _pool, _operations) = (store, pool, new Operations(options, workspace, importance));
        _state = new ForwardState(ids, lengths, model.Hidden, options.BatchTokens);
        CheckPositions();
        var tables = new Dictionary<RotaryForm, RotaryTable>();
        Stages = [.. MakeStages(form => Table(form, tables))];
        foreach (WeightUse use in Stages.SelectMany(stage => stage.Weights).Append(Model.Embedding).Append(Model.Head.Weight)) store.Check(use);
    }

    /// <summary>The model.</summary>
    public DecoderForm Model { get; }

    /// <summary>What to run, in order.</summary>
    public IReadOnlyList<Stage> Stages { get; }

    /// <summary>[tokens, hidden], after the stages that ran.</summary>
    public TokenMatrix Hidden => _state.Hidden;

    /// <summary>Bytes of the stage with the most weights.</summary>
    public long LargestStageBytes => Stages.Max(stage => stage.Weights.Sum(use => use.Count)) * sizeof(float);

    /// <summary>Reads a stage's weights; may run beside another stage.</summary>
    public LoadedWeights Load(Stage stage, CancellationToken cancellation) => LoadedWeights.Load(stage.Weights, _store, _pool, cancellation);

    /// <summary>Takes all tokens through a stage.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void Run(Stage stage, LoadedWeights weights, CancellationToken cancellation)
    {
        _operations.Cancellation = cancellation;
        stage.Run(_state, weights, _operations);
    }

    /// <summary>Reads the rows of the head for a run of the vocabulary; may run beside a stage. To be given to
    /// <see cref="Logits"/> and then to <see cref="Return"/>.</summary>
    public float[] LoadHead(int first, int count)
    {
        float[] rows = _pool.Rent(count * Model.Head.Weight.Columns);
        _store.LoadRows(Model.Head.Weight, first, count, rows);
        return rows;
    }

    /// <summary>Takes the memory of <see cref="LoadHead"/> back.</summary>
    public void Return(float[] rows) => _pool.Return(rows);

    /// <summary>Logits of a run of the vocabulary for all positions; after the last stage.</summary>
    /// <param name="rows">Of the head, from <see cref="LoadHead"/>.</param>
    /// <param name="first">The first token of the vocabulary.</param>
    /// <param name="logits">[tokens, count], overwritten.</param>
    public void Logits(float[] rows, int first, TokenMatrix logits)
    {
        ForwardOptions options = _operations.Options;
        options.Multiply(logits.Rows, logits.Width, Model.Head.Weight.Columns, _state.Hidden.All, rows, logits.All);
        float[]? bias = null;
        if (_store.Has(Model.Head.Bias))
        {
            bias = new float[Model.Vocabulary];
            _store.Load(Model.Head.Bias, bias);
        }

        RowBlocks.ForEach(options.Threads, logits.Rows, row =>
        {
            Span<float> values = logits.Row(row);
            for (int i = 0; bias is not null && i < values.Length; i++) values[i] += bias[first + i];
            ComputeRounding.Apply(options.ComputeType, values);
            foreach (ref float value in values) value *= Model.LogitScale;
            if (Model.LogitCap is { } cap) Activations.SoftCap(values, cap);
            ComputeRounding.Apply(options.ComputeType, values);
        });
    }

    /// <summary>The model with the head that the checkpoint has, or with the embedding for one, or the other way round.</summary>
    private static DecoderForm WithTies(DecoderForm model, WeightStore store)
    {
        if (model.OtherHead is { } other && !store.Has(model.Head.Weight) && store.Has(other.Weight)) model = model with { Head = other };
        if (!store.Has(model.Head.Weight)) return model with { Head = model.Head with { Weight = model.Embedding } };
        return store.Has(model.Embedding) ? model : model with { Embedding = model.Head.Weight };
    }

    private IEnumerable<Stage> MakeStages(Func<RotaryForm?, RotaryTable?> table)
    {
        int hidden = Model.Hidden;
        yield return new EmbeddingStage(Model, _store) { Completes = 0 };
        for (int index = 0; index < Model.Layers.Count; index++)
        {
            LayerForm layer = Model.Layers[index];
            // Of the last layer the state counts after the final norm, as transformers counts it.
            int? completes = index == Model.Layers.Count - 1 ? null : index + 1;
            yield return new AttentionStage(layer, hidden, table(layer.Attention.Rotary), _store);
            if (layer.FeedForward is DenseForm dense)
            {
                yield return new FeedForwardStage(layer, dense, hidden, _store) { Completes = completes };
                continue;
            }

            var mixture = (MixtureForm)layer.FeedForward;
            yield return new RouterStage(layer, mixture, hidden, _store);
            for (int expert = 0; expert < mixture.Experts.Count; expert++) yield return new ExpertStage(mixture.Experts[expert], expert, hidden, _store);
            if (mixture.Shared is { } shared) yield return new ExpertStage(shared, null, hidden, _store);
            yield return new MixtureEndStage(layer, hidden, _store) { Completes = completes };
        }

        yield return new FinalNormStage(Model, _store) { Completes = Model.Layers.Count };
    }

    private RotaryTable? Table(RotaryForm? form, Dictionary<RotaryForm, RotaryTable> tables)
    {
        if (form is null) return null;
        if (!tables.TryGetValue(form, out RotaryTable? table))
            tables[form] = table = new RotaryTable(form.Frequencies, form.Factor, form.Interleaved, _state.LongestContext);
        return table;
    }

    private void CheckPositions()
    {
        if (Model.Positions is not { } positions || Model.FirstPosition + _state.LongestContext <= positions.Rows) return;
        throw new UserErrorException(ExitCode.Usage, "CONTEXT", "the contexts are longer than the model has positions")
        {
            File = _store.Checkpoint.Source.Folder,
            Facts = [("longest context", $"{_state.LongestContext}"), ("positions", $"{positions.Rows - Model.FirstPosition}")],
            Action = "lower --context, or cut the rows of --ids",
        };
    }
}
