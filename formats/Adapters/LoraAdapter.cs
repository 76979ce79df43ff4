using Bnb.Formats.Checkpoints;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Adapters;

/// <summary>
/// A LoRA adapter as PEFT saves it: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>, or before 2023
/// <c>adapter_model.bin</c>. Its tensors are sorted by
/// the module that they change; shapes are checked against each other, not yet against a base.
/// </summary>
public sealed class LoraAdapter
{
    /// <summary>Name of the file that tells what the adapter changes and how.</summary>
    public const string ConfigName = "adapter_config.json";

    private const string WeightsName = "adapter_model.safetensors";
    private const string OldWeightsName = "adapter_model.bin";
    private const string Prefix = "base_model.model.";

    private LoraAdapter(LoraConfig config, Checkpoint weights, IReadOnlyList<LoraModule> modules, IReadOnlyList<(string, CheckpointTensor)> replaced) =>
        (Config, Weights, Modules, Replaced) = (config, weights, modules, replaced);

    /// <summary>The settings.</summary>
    public LoraConfig Config { get; }

    /// <summary>The file.</summary>
    public Checkpoint Weights { get; }

    /// <summary>What is added to weights, in the order of the names.</summary>
    public IReadOnlyList<LoraModule> Modules { get; }

    /// <summary>Tensors that take the place of the base's, by the base's names (<c>modules_to_save</c>, biases).</summary>
    public IReadOnlyList<(string Name, CheckpointTensor Tensor)> Replaced { get; }

    /// <summary>Opens an adapter folder; reads its config and headers only.</summary>
    /// <exception cref="CheckpointFormatException">A file is missing or malformed, or LORA-UNSUP.</exception>
    public static LoraAdapter Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            bool isThere = Path.Exists(folder);
            throw new CheckpointFormatException(
                isThere ? FormatError.FileIsNotRegular : FormatError.FileMissing,
                $"{FileProbe.ShortName(folder)} is {(isThere ? "no folder" : "not there")}; an adapter is a folder with {ConfigName}",
                folder,
                action: "give the folder that PEFT saved");
        }

        string configPath = Path.Combine(folder, ConfigName);
        LoraConfig config = LoraConfig.Parse(FileProbe.ReadSmall(configPath, FormatLimits.ConfigBytes, FormatError.ConfigNotJson), configPath);
        string path = Path.Combine(folder, WeightsName), old = Path.Combine(folder, OldWeightsName);
        Checkpoint weights = Checkpoint.Open(!File.Exists(path) && File.Exists(old) ? old : path, requireConfig: false);
        var parts = new SortedDictionary<string, Dictionary<string, CheckpointTensor>>(StringComparer.Ordinal);
        var replaced = new List<(string, CheckpointTensor)>();
        foreach (CheckpointTensor tensor in weights.Tensors)
        {
            if (!tensor.Name.StartsWith(Prefix, StringComparison.Ordinal)) throw Malformed(tensor, $"does not begin with {Prefix}");
            string name = tensor.Name[Prefix.Length..];
            if (Split(name) is not var (module, part))
            {
                // A bias that was trained (bias "all", "lora_only") has the wrapped layer's name.
                replaced.Add((name.Replace(".modules_to_save.default.", ".", StringComparison.Ordinal).Replace(".base_layer.", ".", StringComparison.Ordinal), tensor));
                continue;
            }

            if (!parts.TryGetValue(module, out Dictionary<string, CheckpointTensor>? own)) parts[module] = own = [];
            if (!own.TryAdd(part, tensor)) throw Malformed(tensor, "is there twice");
        }

        List<LoraModule> modules = [];
        foreach ((string module, Dictionary<string, CheckpointTensor> own) in parts)
        {
            if (own.Count == 1 && own.TryGetValue(LoraModule.Base, out CheckpointTensor? alone)) replaced.Add((module + ".weight", alone));
            else modules.Add(LoraModule.Of(module, own, config));
        }

        return new LoraAdapter(config, weights, modules, replaced);
    }

    internal static CheckpointFormatException Malformed(CheckpointTensor tensor, string found) => new(
        FormatError.AdapterLayout,
        $"{DisplayText.Escape(tensor.Name)} {found}",
        tensor.File.Path,
        tensor.Name,
        action: "download the adapter again, or save it again with PEFT");

    /// <summary>A module and which part of its update the tensor is; null for one that is no part of an update.</summary>
    private static (string Module, string Part)? Split(string name)
    {
        foreach (string part in LoraModule.AllParts)
        {
            foreach (string ending in (string[])[$".{part}.weight", $".{part}.default.weight", $".{part}", $".{part}.default"])
            {
                if (name.EndsWith(ending, StringComparison.Ordinal)) return (name[..^ending.Length], part);
            }
        }

        return null;
    }
}
