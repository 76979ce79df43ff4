using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;
using Bnb.Quant.Int8;
using Bnb.Quant.Metrics;

namespace Bnb.Engine.Verifying;

/// <summary>X as LLM.int8() multiplies it, and what that makes of its values.</summary>
internal sealed class QuantizedActivations
{
    private readonly Lock _lock = new();
    private readonly int _tokens, _columns;
    private ProductInputs? _inputs;

    public QuantizedActivations(ActivationMatrix x, int columns, float threshold)
    {
        Codes = Int8Activations.Prepare(x.Tokens, columns, x.Type, x.Stored, threshold);
        Values = new float[x.Values.Length];
        var error = new ErrorStats();
        for (int row = 0; row < x.Tokens; row++)
        {
            Span<float> values = Values.AsSpan(row * columns, columns);
            DequantizeRows8.Run(columns, Codes.Codes.Slice(row * columns, columns), Codes.Scales.Slice(row, 1), values, KernelPath.Reference);
            ReadOnlySpan<int> outliers = Codes.OutlierColumns;
            for (int i = 0; i < outliers.Length; i++) values[outliers[i]] = Codes.OutlierValues[(row * outliers.Length) + i];
            error.Add(x.Values.AsSpan(row * columns, columns), values);
        }

        _tokens = x.Tokens;
        _columns = columns;
        RelativeError = error.RelativeRmse;
    }

    public Int8Activations Codes { get; }

    /// <summary>[tokens, columns]: code * scale / 127, and outliers as they are.</summary>
    public float[] Values { get; }

    /// <summary>Relative RMSE of <see cref="Values"/> against X: what quantizing activations adds to the product's error.</summary>
    public double RelativeError { get; }

    /// <summary><see cref="Values"/> as FP32 multiplies them.</summary>
    public ProductInputs Inputs(KernelPath path)
    {
        lock (_lock) return _inputs ??= ProductInputs.Of(_tokens, _columns, Values, path);
    }
}
