using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.ScaledFloats;

/// <summary>
/// Recognizes MXFP4 and NVFP4: gpt-oss' <c>_blocks</c> and <c>_scales</c>, compressed-tensors' <c>weight_packed</c> of bytes,
/// and modelopt's <c>weight</c> of bytes with <c>weight_scale</c> and <c>weight_scale_2</c>.
/// </summary>
internal static class Fp4Weights
{
    private const int MxBlock = 32;
    private const int NvBlock = 16;

    public static void Recognize(WeightSearch search)
    {
        foreach (CheckpointTensor tensor in search.Remaining.Where(tensor => tensor.DType == DType.U8 && !search.IsTaken(tensor.Name)))
        {
            string name = tensor.Name;
            if (name.EndsWith(ScaledFloatKeys.Blocks, StringComparison.Ordinal)
                && search.Find(name[..^ScaledFloatKeys.Blocks.Length] + ScaledFloatKeys.Scales) is { } scales)
            {
                OfGptOss(search, name[..^ScaledFloatKeys.Blocks.Length], tensor, scales);
            }
            else if (CompressedTensorsName(name) is { } dense && search.Find(dense + ScaledFloatKeys.Scale) is { } scale)
            {
                OfCompressedTensors(search, dense, tensor, scale);
            }
            else if (search.Find(name + ScaledFloatKeys.Scale) is { DType: DType.F8E4M3 } small
                && search.Find(name + ScaledFloatKeys.SecondScale) is { } second)
            {
                Assemble(search, new Candidate(name, tensor, small, ScaleForm.TimesGlobal, second, NvBlock), own: null);
            }
        }
    }

    /// <summary>The name of the dense tensor for one of packed bytes.</summary>
    private static string? CompressedTensorsName(string name) =>
        name.EndsWith(ScaledFloatKeys.Packed, StringComparison.Ordinal) && ScaledFloatKeys.Prefix(name).Length == name.Length - ScaledFloatKeys.Packed.Length
            ? ScaledFloatKeys.Prefix(name) + "weight"
            : null;

    private static void OfGptOss(WeightSearch search, string name, CheckpointTensor blocks, CheckpointTensor scales)
    {
        search.Take(blocks.Name, scales.Name);
        TensorShape shape = blocks.Shape;
        // [experts, rows, blocks, 16 bytes]; without experts it is one matrix, as a Linear has it.
        if (shape.Rank is not (3 or 4) || shape[shape.Rank - 1] != MxBlock / 2)
        {
            search.Fatal("FP0102", blocks.Name, $"is U8 {shape}, expected U8 [experts, rows, blocks, {MxBlock / 2}]");
            return;
        }

        if (scales.DType != DType.U8 || !scales.Shape.Dimensions.SequenceEqual(shape.Dimensions.Take(shape.Rank - 1)))
        {
            search.Fatal("FP0103", scales.Name, $"is {scales.DType.Name()} {scales.Shape}, expected one U8 for each 16 bytes of {shape}");
            return;
        }

        bool isExperts = shape.Rank == 4;
        search.Add(new ScaledFloatWeight(
            name, blocks, scales, "mxfp4", isExperts ? shape[0] : null, shape[shape.Rank - 3], shape[shape.Rank - 2] * MxBlock, 1, MxBlock)
        {
            Form = ScaleForm.WideExponent,
            OwnDType = DType.BF16,
            IsOtherWayRound = isExperts,
        });
    }

    private static void OfCompressedTensors(WeightSearch search, string dense, CheckpointTensor packed, CheckpointTensor scale)
    {
        if (scale.DType is DType.U8 or DType.F8E8M0)
        {
            ScaleForm form = scale.DType == DType.U8 ? ScaleForm.Exponent : ScaleForm.Stored;
            Assemble(search, new Candidate(dense, packed, scale, form, null, MxBlock), DType.BF16);
            return;
        }

        string globalName = ScaledFloatKeys.Prefix(dense) + ScaledFloatKeys.GlobalScale;
        if (search.Find(globalName) is { } global)
        {
            Assemble(search, new Candidate(dense, packed, scale, ScaleForm.OverGlobal, global, NvBlock), DType.BF16);
            return;
        }

        search.Take(packed.Name, scale.Name);
        search.Fatal("FP0101", globalName, "is missing beside FP4 codes with a weight_scale");
    }

    private static void Assemble(WeightSearch search, Candidate found, DType? own)
    {
        List<CheckpointTensor> unused = [.. ScaledFloatKeys.Unused(found.Name).Select(search.Find).OfType<CheckpointTensor>()];
        search.Take(unused.Select(tensor => tensor.Name).Append(found.Codes.Name).Append(found.Scale.Name));
        if (found.Global is not null) search.Take(found.Global.Name);
        if (ScaledFloatKeys.RefuseScaledInputs(search, found.Name)) return;
        if (ScaleGrid.Of(found.Codes.Shape, 2) is not { } grid)
        {
            search.Fatal("FP0102", found.Codes.Name, $"is U8 {found.Codes.Shape}, a weight has 2 dimensions, experts have 3");
            return;
        }

        if (found.Global is not null && found.Scale.DType != DType.F8E4M3)
        {
            search.Fatal("FP0103", found.Scale.Name, $"is {found.Scale.DType.Name()}, expected F8_E4M3");
            return;
        }

        if (grid.Columns % found.Width != 0 || grid.Block(found.Scale.Shape, (1, found.Width)) != (1, found.Width))
        {
            search.Fatal(
                "FP0104", found.Scale.Name, $"is {found.Scale.Shape}, expected one for each {found.Width} of the {grid.Columns} columns of {found.Codes.Shape}");
            return;
        }

        if (found.Global is { } global && (global.DType != DType.F32 || global.Shape.ElementCount != 1))
        {
            search.Fatal("FP0103", global.Name, $"is {global.DType.Name()} {global.Shape}, expected one F32");
            return;
        }

        search.Add(new ScaledFloatWeight(
            found.Name, found.Codes, found.Scale, found.Width == NvBlock ? "nvfp4" : "mxfp4",
            grid.Stack, grid.Rows, grid.Columns, 1, found.Width)
        {
            Form = found.Form,
            GlobalScale = found.Global,
            OwnDType = own,
            Unused = unused,
        });
    }

    /// <summary>Tensors that may be a weight.</summary>
    private sealed record Candidate(
        string Name, CheckpointTensor Codes, CheckpointTensor Scale, ScaleForm Form, CheckpointTensor? Global, int Width);
}
