namespace Bnb.Formats.HuggingFace;

/// <summary>By name alone: what belongs to a model and what is another form of its weights.</summary>
public static class SideFileRules
{
    private static readonly string[] WeightEndings =
    [
        ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".onnx", ".onnx_data", ".h5", ".msgpack", ".ot",
        ".tflite", ".mlmodel", ".npz", ".nemo", ".pkl", ".pickle", ".distcp",
    ];

    private static readonly string[] OtherEndings = [".index.json", ".incomplete", ".lock", ".part"];

    // How GPTQ, AWQ and modelopt say that the weights beside them are quantized, which those of an output are no longer. Beside a
    // PEFT adapter's settings transformers loads the adapter's base model in place of the weights that are there.
    private static readonly string[] OtherSettings = ["quantize_config.json", "quant_config.json", "hf_quant_config.json", "adapter_config.json"];

    // What this tool says of the files beside it; beside others it would be a lie.
    private const string Manifest = "bnb-manifest.json";

    // "original" holds the publisher's own format, the others exports or what tools keep for themselves.
    private static readonly string[] OtherFolders =
        ["original", "onnx", "openvino", "coreml", "gguf", ".git", ".cache", "__pycache__", ".ipynb_checkpoints"];

    private static readonly string[] MediaEndings =
        [".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".mp4", ".wav", ".mp3", ".pdf"];

    /// <summary>True for a file in some weight format.</summary>
    public static bool IsWeights(string name) =>
        WeightEndings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    /// <summary>True for a file that must not stand beside new weights: weights, an old index or manifest, an unfinished download,
    /// settings of another quantization.</summary>
    public static bool IsLeftOut(string name) =>
        IsWeights(name) || IsVariantIndex(name) || name == Manifest || OtherSettings.Contains(name, StringComparer.OrdinalIgnoreCase)
        || OtherEndings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    // diffusers puts a variant's name into the index's: model.safetensors.index.fp16.json.
    private static bool IsVariantIndex(string name) =>
        name.Contains(".safetensors.index.", StringComparison.OrdinalIgnoreCase) && name.EndsWith(".json", StringComparison.OrdinalIgnoreCase);

    /// <summary>True for a folder that is no part of the model.</summary>
    public static bool IsForeignFolder(string name) => OtherFolders.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// True for a module folder of sentence-transformers (<c>1_Pooling</c>, <c>2_Dense</c>): a part of the model that is
    /// copied with its own weights.
    /// </summary>
    public static bool IsModuleFolder(string name)
    {
        int digits = name.AsSpan().IndexOfAnyExceptInRange('0', '9');
        return digits > 0 && name[digits] == '_';
    }

    /// <summary>True for a picture or recording in a model card; a model works without it.</summary>
    public static bool IsMedia(string name) =>
        MediaEndings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));
}
