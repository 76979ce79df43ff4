using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.CompressedTensors;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Verifying;

/// <summary>
/// The three levels on one layer, in panels of whole weight rows that any worker may take. What depends on the data type is in
/// the subclasses.
/// </summary>
internal abstract class LayerRun
{
    private const long LargestPreload = 64 << 20;

    private readonly Lock _lock = new();
    private PanelResult?[] _panels;
    private long _panelsLeft;
    private bool _begun;

    protected LayerRun(LayerPlan layer, LayerContext context)
    {
        (Layer, Context) = (layer, context);
        PanelRows = VerifySizes.RowsOf(layer.Weight.Rows, layer.Weight.Columns, context.PanelValues);
        PanelCount = layer.Weight.ValueCount == 0 ? 1 : (int)((layer.Weight.Rows + PanelRows - 1) / PanelRows);
        _panels = new PanelResult?[PanelCount];
        _panelsLeft = PanelCount;
    }

    public int PanelCount { get; }

    public LayerPlan Layer { get; }

    /// <summary>Scales of the whole layer.</summary>
    public abstract long ScaleCount { get; }

    /// <summary>Relative RMSE of normal weights in this form, from theory.</summary>
    public abstract double ExpectedError { get; }

    /// <summary>Relative RMSE that the type adds to products beside that of the weights.</summary>
    public virtual double ActivationError => 0;

    /// <summary>Whether the stored code tables, if the type has any, are those of the type.</summary>
    public virtual bool HasStandardTables => true;

    /// <summary>What is wrong with the scale of the scales, null when nothing is; asked when every panel is done.</summary>
    public virtual string? OffsetProblem => null;

    /// <summary>Tensor bytes of both sides.</summary>
    public long Bytes => Layer.Source.SourceBytes + Layer.Weight.Parts.Sum(part => part.ByteCount);

    /// <summary>Whether the scales are said to be searched.</summary>
    protected bool Searches => Layer.Source.Quantization!.Scale == ScaleRule.Search;

    protected LayerContext Context { get; }

    protected long PanelRows { get; }

    /// <summary>The whole source tensor when it is transposed and small enough to hold.</summary>
    protected byte[]? Preloaded { get; private set; }

    public static LayerRun Create(LayerPlan layer, LayerContext context) => layer.Weight switch
    {
        BnbWeight weight => new Blockwise4Layer(layer, weight, context),
        Int8Weight weight => new Int8Layer(layer, weight, context),
        Int4Weight weight => new Int4Layer(layer, weight, context),
        _ => new RederivedLayer(layer, context),
    };

    /// <summary>True when it was the last panel; then <see cref="Merged"/> may be asked.</summary>
    public bool Process(int panel, VerifyBuffers buffers)
    {
        BeginOnce();
        var result = new PanelResult();
        if (Layer.Weight.ValueCount > 0) Measure(panel, buffers, result);
        _panels[panel] = result;
        return Interlocked.Decrement(ref _panelsLeft) == 0;
    }

    /// <summary>
    /// Whether the stored codes are those of the source transposed; asked only when they are not those of the source. Looks
    /// at the first values, which tell.
    /// </summary>
    public abstract bool LooksTransposed();

    public PanelResult Merged()
    {
        var merged = new PanelResult();
        foreach (PanelResult? panel in _panels) merged.Merge(panel!);
        _panels = [];
        Preloaded = null;
        if (Layer.Source.Input is { } input) Context.Source.Close(input, static _ => { });
        return merged;
    }

    /// <summary>What must exist before any panel.</summary>
    protected abstract void Begin();

    protected abstract void Measure(int panel, VerifyBuffers buffers, PanelResult result);

    /// <summary>The source as if it were stored the other way round.</summary>
    protected TensorPlan TransposedSource()
    {
        var quantization = Layer.Source.Quantization!;
        return Layer.Source with
        {
            Quantization = quantization with { Rows = quantization.Columns, Columns = quantization.Rows, Transpose = !quantization.Transpose },
        };
    }

    /// <summary>Whether nine codes of ten are the same.</summary>
    protected static bool MostlyEqual(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int equal = 0;
        for (int i = 0; i < a.Length; i++)
        {
            if (a[i] == b[i]) equal++;
        }

        return equal > a.Length * 9 / 10;
    }

    /// <summary>Bins of the error histogram per unit of error; see <see cref="Histograms"/> for the unit.</summary>
    protected static float BinsPer(float unit) => unit == 0 ? 0 : (float)(Histograms.ErrorBins / (2 * Histograms.ErrorRange)) / unit;

    private void BeginOnce()
    {
        lock (_lock)
        {
            if (_begun) return;
            long bytes = Layer.Source.SourceBytes;
            // Gathering columns from disk is slow; weights of the Conv1D family are small enough to hold.
            if (Layer.Source.Input is { } input) Context.Source.ReaderOf(input).Begin(held => held <= LargestPreload);
            else if (Layer.Source.Quantization!.Transpose && bytes <= LargestPreload)
            {
                byte[] stored = new byte[bytes];
                Context.Source.ReadBytes(Layer.Source.Source, 0, stored);
                Preloaded = stored;
            }

            Begin();
            _begun = true;
        }
    }
}

/// <summary>What all layers of a run share.</summary>
/// <param name="Activations">Null when products are left out.</param>
/// <param name="ComputeType">BF16 or F16.</param>
/// <param name="Engine">Runs the products; what is compared with the source is made on the CPU.</param>
/// <param name="PanelValues">Weights of a panel, about.</param>
/// <param name="Threshold">llm_int8_threshold of the config: activations of this size or more are multiplied apart.</param>
internal sealed record LayerContext(TensorSource Source, Activations? Activations, ElementType ComputeType, float Threshold, ComputeEngine Engine, int PanelValues)
{
    public KernelPath Path => Engine.Path;
}
