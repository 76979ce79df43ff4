using Bnb.Engine.Quantizing;

namespace Bnb.Engine.Planning;

/// <summary>The output that a recipe gives, rehearsed: all sizes are exact.</summary>
/// <param name="Source">What is quantized.</param>
/// <param name="Models">The dry run of each model.</param>
internal sealed record PlannedOutput(PlannedSource Source, IReadOnlyList<QuantizeSummary> Models)
{
    /// <summary>Bytes of the weight files, headers included, copied ones too.</summary>
    public long FileBytes => Models.Sum(static model => model.OutputFileBytes) + CopiedFileBytes;

    /// <summary>Bytes of the weight files that are copied.</summary>
    public long CopiedFileBytes => Source.Copied.Sum(static copied => copied.FileBytes);

    /// <summary>Bytes of all tensors.</summary>
    public long TensorBytes => Models.Sum(static model => model.OutputTensorBytes) + Source.Copied.Sum(static copied => copied.TensorBytes);

    /// <summary>Elements of all tensors.</summary>
    public long ParameterCount => Models.Sum(static model => model.Plan.ParameterCount) + Source.Copied.Sum(static copied => copied.ParameterCount);

    /// <summary>Elements of the tensors that are quantized.</summary>
    public long QuantizedParameterCount => Models.Sum(static model => model.Plan.QuantizedParameterCount);

    /// <summary>Bits of all tensors over all parameters.</summary>
    public double BitsPerParameter => ParameterCount == 0 ? 0 : TensorBytes * 8.0 / ParameterCount;

    /// <summary>The data type.</summary>
    public string Type => Models[0].Plan.Recipe.Type;
}
