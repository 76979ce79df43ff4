using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.ScaledFloats;

/// <summary>
/// Recognizes FP8 weights (E4M3): <c>weight</c> with <c>weight_scale_inv</c> (DeepSeek, transformers) or with
/// <c>weight_scale</c> (compressed-tensors, AutoFP8, modelopt), and the FP4 weights that transformers stores as I8 beside
/// them.
/// </summary>
internal static class Fp8Weights
{
    public static void Recognize(WeightSearch search)
    {
        QuantizationSettings? settings = search.Config?.Quantization;
        foreach (CheckpointTensor codes in search.Remaining)
        {
            bool isFp8 = codes.DType == DType.F8E4M3 && !IsScale(codes.Name);
            bool isFp4 = codes.DType == DType.I8 && search.Find(codes.Name + ScaledFloatKeys.ScaleInverse) is { DType: DType.F8E8M0 or DType.U8 };
            if (isFp8 || isFp4) OfCodes(search, codes, settings);
        }
    }

    private static void OfCodes(WeightSearch search, CheckpointTensor codes, QuantizationSettings? settings)
    {
        CheckpointTensor? inverse = search.Find(codes.Name + ScaledFloatKeys.ScaleInverse);
        CheckpointTensor? scale = inverse ?? search.Find(codes.Name + ScaledFloatKeys.Scale);
        // A tensor that was only cast to FP8 is left to others: nothing says that it is a weight.
        if (scale is null) return;

        List<CheckpointTensor> unused = [.. ScaledFloatKeys.Unused(codes.Name).Select(search.Find).OfType<CheckpointTensor>()];
        search.Take(unused.Select(tensor => tensor.Name).Append(codes.Name).Append(scale.Name));
        if (ScaledFloatKeys.RefuseScaledInputs(search, codes.Name)) return;
        bool isFourBit = codes.DType == DType.I8;
        if (ScaleGrid.Of(codes.Shape, isFourBit ? 2 : 1) is not { } grid)
        {
            search.Fatal("FP0102", codes.Name, $"is {codes.DType.Name()} {codes.Shape}, a weight has 2 dimensions, experts have 3");
            return;
        }

        if (scale.DType is not (DType.F32 or DType.F16 or DType.BF16 or DType.F8E8M0 or DType.U8))
        {
            search.Fatal("FP0103", scale.Name, $"is {scale.DType.Name()}, expected F32, F16, BF16, F8_E8M0 or U8");
            return;
        }

        // FP4 always has blocks of its own, whatever the config says of the FP8 weights.
        (long Rows, long Columns)? configured = isFourBit ? (1, 32) : settings?.WeightBlock;
        if (grid.Block(scale.Shape, configured) is not { } block)
        {
            string said = configured is { } given ? $"blocks of {given.Rows} x {given.Columns}" : "known blocks";
            search.Fatal("FP0104", scale.Name, $"is {scale.Shape}, which does not divide {codes.Shape} into {said}");
            return;
        }

        bool isExponent = scale.DType is DType.F8E8M0 or DType.U8;
        search.Add(new ScaledFloatWeight(
            codes.Name, codes, scale, isFourBit ? "mxfp4" : isExponent && block == (1, 32) ? "mxfp8" : "fp8",
            grid.Stack, grid.Rows, grid.Columns, block.Rows, block.Columns)
        {
            Form = scale.DType == DType.U8 ? ScaleForm.Exponent : ScaleForm.Stored,
            OwnDType = inverse is null && settings?.Method == "compressed-tensors" && !isExponent ? scale.DType : null,
            Unused = unused,
        });
    }

    /// <summary>Scales of NVFP4 are F8_E4M3, too.</summary>
    private static bool IsScale(string name) => name.EndsWith(ScaledFloatKeys.Scale, StringComparison.Ordinal);
}
