using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.PackedWords;

/// <summary>
/// Recognizes GPTQ and AWQ weights by <c>qweight</c>, <c>qzeros</c> and <c>scales</c>; the shapes tell which of the two it is,
/// and how many bits a code has. Sources: gptqmodel 7.7, <c>nn_modules/qlinear</c>; autoawq 0.2.9, <c>modules/linear/gemm.py</c>.
/// </summary>
internal sealed class PackedWordWeights
{
    private const string Words = "qweight";
    private const string ZeroWords = "qzeros";
    private const string Scales = "scales";
    private const string GroupIndex = "g_idx";
    private const int AwqPerWord = 8;

    private readonly WeightSearch _search;
    private readonly QuantizationSettings? _settings;

    private PackedWordWeights(WeightSearch search)
    {
        _search = search;
        _settings = search.Config?.Quantization;
    }

    public static void Recognize(WeightSearch search)
    {
        var recognizer = new PackedWordWeights(search);
        List<CheckpointTensor> words = [.. search.Remaining.Where(tensor => ModuleOf(tensor.Name) is not null)];
        string? refusal = words.Count > 0 ? recognizer.Refusal() : null;
        if (refusal is not null) search.Fatal("GQ0106", "config.json", refusal);
        foreach (CheckpointTensor tensor in words) recognizer.OfModule(ModuleOf(tensor.Name)!, tensor, isRefused: refusal is not null);
    }

    /// <summary>The module's name and its point, for the tensor of its codes.</summary>
    private static string? ModuleOf(string name) =>
        name == Words || name.EndsWith("." + Words, StringComparison.Ordinal) ? name[..^Words.Length] : null;

    /// <summary>Layouts that have the same names and another order.</summary>
    private string? Refusal()
    {
        if (_settings is null) return null;
        if (_settings.CheckpointFormat is { } format && format.ToLowerInvariant() is not ("gptq" or "gptq_v2" or "gemm"))
            return $"format is {DisplayText.Escape(format)}, only gptq, gptq_v2 and gemm are read";
        if (_settings.Version is { } version && !version.Equals("gemm", StringComparison.OrdinalIgnoreCase) && _settings.Method == "awq")
            return $"version is {DisplayText.Escape(version)}, only gemm is read";
        return _settings.IsMarlin ? "is_marlin_format is true, only the plain layout is read" : null;
    }

    private void OfModule(string module, CheckpointTensor words, bool isRefused)
    {
        CheckpointTensor? zeros = _search.Find(module + ZeroWords), scales = _search.Find(module + Scales), index = _search.Find(module + GroupIndex);
        _search.Take(words.Name, module + ZeroWords, module + Scales, module + GroupIndex);
        if (isRefused) return;
        int problems = _search.Problems.Count;
        if (zeros is null) Fatal("GQ0101", module + ZeroWords, "is missing beside qweight");
        if (scales is null) Fatal("GQ0101", module + Scales, "is missing beside qweight");
        Check(words, words.DType == DType.I32, "I32 with 2 dimensions");
        if (zeros is not null) Check(zeros, zeros.DType == DType.I32, "I32 with 2 dimensions");
        if (scales is not null) Check(scales, scales.DType is DType.F16 or DType.BF16 or DType.F32, "F16, BF16 or F32 with 2 dimensions");
        if (_search.Problems.Count > problems) return;

        long groups = scales!.Shape[0], outputs = scales.Shape[1];
        if (groups == 0 || zeros!.Shape[0] != groups)
        {
            Fatal("GQ0103", module + ZeroWords, $"has {zeros!.Shape[0]} groups, scales has {groups}");
            return;
        }

        string name = module + "weight";
        PackedWordWeight? weight = words.Shape[1] == outputs
            ? Gptq(name, words, zeros, scales, index)
            : Awq(name, words, zeros, scales);
        if (weight is not null) _search.Add(weight);
    }

    private GptqWeight? Gptq(string name, CheckpointTensor words, CheckpointTensor zeros, CheckpointTensor scales, CheckpointTensor? index)
    {
        long outputs = scales.Shape[1], perRow = zeros.Shape[1];
        long perWord = perRow > 0 && outputs % perRow == 0 ? outputs / perRow : 0;
        if (perWord is not (4 or 8 or 16))
        {
            Fatal("GQ0103", zeros.Name, $"has {perRow} words for {outputs} output features: codes of 2, 4 or 8 bits are read");
            return null;
        }

        // The tensors decide, not the config: layers may differ.
        int bits = (int)(32 / perWord);
        long inputs = words.Shape[0] * perWord, groups = scales.Shape[0];
        if (index is not null && (index.DType != DType.I32 || index.Shape.Rank != 1 || index.Shape[0] != inputs))
        {
            Fatal("GQ0104", index.Name, $"is {index.DType.Name()} {index.Shape}, expected I32 [{inputs}]");
            return null;
        }

        bool isConfigured = _settings?.GroupSize is > 0 and { } given && DivideUp(inputs, given) == groups;
        long size = isConfigured ? _settings!.GroupSize!.Value : DivideUp(inputs, groups);
        // With an index only it counts; without one or a config, groups are of one size.
        if (index is null && !isConfigured && inputs % groups != 0)
        {
            Fatal("GQ0105", scales.Name, $"has {groups} groups for {inputs} input features, which they do not divide");
            return null;
        }

        bool lessOne = !string.Equals(_settings?.CheckpointFormat, "gptq_v2", StringComparison.OrdinalIgnoreCase);
        return new GptqWeight(name, words, zeros, scales, index, bits, Math.Max(1, size), lessOne);
    }

    private AwqWeight? Awq(string name, CheckpointTensor words, CheckpointTensor zeros, CheckpointTensor scales)
    {
        long inputs = words.Shape[0], groups = scales.Shape[0], outputs = scales.Shape[1];
        foreach (CheckpointTensor packed in (CheckpointTensor[])[words, zeros])
        {
            if (packed.Shape[1] * AwqPerWord == outputs) continue;
            Fatal("GQ0103", packed.Name, $"is I32 {packed.Shape}: no layout of {outputs} output features, GPTQ has as many columns, AWQ an eighth");
            return null;
        }

        if (inputs == 0 || inputs % groups != 0)
        {
            Fatal("GQ0105", scales.Name, $"has {groups} groups for {inputs} input features, which they do not divide");
            return null;
        }

        return new AwqWeight(name, words, zeros, scales);
    }

    private void Check(CheckpointTensor tensor, bool isKnown, string expected)
    {
        if (!isKnown || tensor.Shape.Rank != 2) Fatal("GQ0102", tensor.Name, $"is {tensor.DType.Name()} {tensor.Shape}, expected {expected}");
    }

    private void Fatal(string rule, string tensor, string text) => _search.Fatal(rule, tensor, text);

    private static long DivideUp(long value, long by) => (value / by) + (value % by == 0 ? 0 : 1);
}
