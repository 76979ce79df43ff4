using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>Recognizes checkpoints that are quantized already; quantizing them again would ruin them.</summary>
public static class QuantizedSource
{
    /// <summary>
    /// Why the checkpoint counts as quantized, from its config or from the names and dtypes of its tensors; null when
    /// nothing says so.
    /// </summary>
    public static string? Find(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (checkpoint.Config?.QuantMethod is { } method)
            return $"config.json has a quantization_config ({DisplayText.Escape(method)})";
        return FindInTensors(checkpoint);
    }

    /// <summary>The same from the names and dtypes of the tensors alone.</summary>
    public static string? FindInTensors(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        HashSet<string> known = [.. checkpoint.Tensors.Select(tensor => tensor.Name)];
        // Made once: a delegate for each of a million tensors is a cost of its own.
        Func<string, bool> names = known.Contains;
        foreach (CheckpointTensor tensor in checkpoint.Tensors)
        {
            if ((Reason(tensor.Name, tensor.DType, names) ?? (IsCodes(tensor) ? CodesOf(tensor) : null)) is { } reason)
                return $"tensor {DisplayText.Escape(tensor.Name)}: {reason}";
        }

        return null;
    }

    /// <summary>Throws when <see cref="Find"/> gives a reason.</summary>
    /// <exception cref="CheckpointFormatException">CFG-QUANTIZED.</exception>
    public static void ThrowIfQuantized(Checkpoint checkpoint)
    {
        if (Find(checkpoint) is { } reason) throw QuantizedRefusal.Error(checkpoint.ConfigPath ?? checkpoint.Folder, reason);
    }

    internal static string? Reason(string name, DType dtype, Func<string, bool> names)
    {
        if (NamedFormats.Of(name, dtype, names) is { } format) return format;
        if (BnbKeys.IsCompanion(name) && !name.EndsWith(BnbKeys.WeightFormatSuffix, StringComparison.Ordinal))
            return "written by bitsandbytes";
        if (Ends(name, ".qweight") || Ends(name, ".qzeros")) return "GPTQ or AWQ weights";
        if (Ends(name, ".weight_packed")) return dtype == DType.U8 ? "compressed-tensors FP4 weights" : "compressed-tensors weights";
        if (Ends(name, ".weight_scale") || Ends(name, ".weight_scale_inv")) return "the scale of a quantized weight";
        if (Ends(name, "_blocks") && names(name[..^7] + "_scales")) return "MXFP4 weights";
        if (Ends(name, ".weight") && dtype == DType.U32 && names(name[..^7] + ".scales")) return "MLX weights";
        bool isNarrow = dtype is DType.F8E4M3 or DType.F8E5M2 or DType.F8E4M3Fnuz or DType.F8E5M2Fnuz or DType.F4;
        return isNarrow && Ends(name, ".weight") ? $"a weight stored as {dtype.Name()}" : null;
    }

    /// <summary>A matrix of bytes under the name of a weight: somebody's codes, as no layer multiplies by them.</summary>
    internal static bool IsCodes(CheckpointTensor tensor) => tensor.Shape.Rank >= 2 && Ends(tensor.Name, ".weight")
        && (tensor.DType is DType.I8 or DType.U8);

    /// <summary>What is said of one.</summary>
    internal static string CodesOf(CheckpointTensor tensor) => $"a weight stored as {tensor.DType.Name()}";

    private static bool Ends(string name, string suffix) => name.EndsWith(suffix, StringComparison.Ordinal);
}
