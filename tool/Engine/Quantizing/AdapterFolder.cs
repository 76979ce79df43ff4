using Bnb.Engine.Errors;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Adapters;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Quantizing;

/// <summary>Recognizes an adapter, PEFT's or another's, that is given in the place of a model.</summary>
internal static class AdapterFolder
{
    private static readonly string[] Models = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

    // Parts of adapters of other kinds than LoRA: (IA)3, LoHa, LoKr, OFT, BOFT, VeRA, DoRA; and numbers beside them.
    private static readonly string[] OtherParts =
        [".ia3_l", "hada_", "lokr_", "oft_", "boft_", "vera_lambda", "lora_magnitude_vector", ".alpha", ".dora_scale", "prompt_embeddings"];

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
        if (isAdapter) throw Refusal("the source is a PEFT adapter, not a model", Path.Combine(folder, LoraAdapter.ConfigName), "quantize its base model with --merge-lora and this folder");
    }

    /// <summary>Refuses weights that are factors of an adapter, all of them, whatever lies beside them.</summary>
    /// <exception cref="UserErrorException">Names the file.</exception>
    public static void RefuseFactors(Checkpoint source)
    {
        if (source.Tensors.Count == 0 || !source.Tensors.All(IsPart)) return;
        throw Refusal(
            "the source holds the factors of an adapter, not a model",
            source.Tensors[0].File.Path,
            $"quantize its base model; --merge-lora takes a folder with {LoraAdapter.ConfigName}, as PEFT saves it");
    }

    private static bool IsPart(CheckpointTensor tensor) => LeafNames.Adapter(new ModuleName(tensor.Name)) is not null
        || OtherParts.Any(part => tensor.Name.Contains(part, StringComparison.Ordinal));

    private static UserErrorException Refusal(string what, string file, string action) =>
        new(ExitCode.InputUnsupported, "ADAPTER", what) { File = file, Action = action };
}
