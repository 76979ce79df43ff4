using Bnb.Engine.Errors;
using Bnb.Formats.Adapters;

namespace Bnb.Engine.Quantizing;

/// <summary>Recognizes a PEFT adapter that is given in the place of a model.</summary>
internal static class AdapterFolder
{
    private static readonly string[] Models = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

    /// <summary>Refuses a folder that has an adapter and no model, with or without a config.json, and an adapter's file.</summary>
    /// <exception cref="UserErrorException">Names the file that shows it.</exception>
    public static void Refuse(string path)
    {
        bool isFolder = Directory.Exists(path);
        string? folder = isFolder ? path : Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is null || !File.Exists(Path.Combine(folder, LoraAdapter.ConfigName))) return;
        bool isAdapter = isFolder
            ? !Models.Any(name => File.Exists(Path.Combine(folder, name)))
            : Path.GetFileName(path).StartsWith("adapter_model.", StringComparison.Ordinal);
        if (!isAdapter) return;
        throw new UserErrorException(ExitCode.InputUnsupported, "ADAPTER", "the source is a PEFT adapter, not a model")
        {
            File = Path.Combine(folder, LoraAdapter.ConfigName),
            Action = "quantize its base model with --merge-lora and this folder",
        };
    }
}
