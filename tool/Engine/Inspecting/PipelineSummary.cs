namespace Bnb.Engine.Inspecting;

/// <summary>What the components of a pipeline come to together.</summary>
/// <param name="Path">The pipeline's folder, as given.</param>
/// <param name="Components">Those with weights, in the order of the index.</param>
internal sealed record PipelineSummary(string Path, IReadOnlyList<InspectSummary> Components)
{
    /// <summary>Weights of all.</summary>
    public int TensorCount => Components.Sum(static component => component.Tensors.Count);

    /// <summary>Quantized weights of all.</summary>
    public int QuantizedCount => Components.Sum(static component => component.QuantizedCount);

    /// <summary>Elements of the dense weights.</summary>
    public long ParameterCount => Components.Sum(static component => component.ParameterCount);

    /// <summary>Bytes of all tensors.</summary>
    public long TensorBytes => Components.Sum(static component => component.TensorBytes);

    /// <summary>Tensor bytes per parameter, in bits.</summary>
    public double BitsPerParameter => ParameterCount == 0 ? 0 : TensorBytes * 8.0 / ParameterCount;
}
