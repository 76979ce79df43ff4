namespace Bnb.Formats.Checkpoints;

/// <summary>A format of weight files as far as their names go.</summary>
/// <param name="Ending">What the names end with in a model folder.</param>
/// <param name="BaseNames">What they start with in the order the Hugging Face loaders look, and what safetensors files of the
/// same model start with.</param>
internal sealed record WeightForm(string Ending, IReadOnlyList<(string Stored, string Written)> BaseNames)
{
    /// <summary>What transformers calls weight files.</summary>
    public const string Transformers = "model";

    /// <summary>What diffusers calls them.</summary>
    public const string Diffusers = "diffusion_pytorch_model";

    private static readonly string[] TorchEndings = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];

    // What trainers leave beside a checkpoint: no weights, whatever else is in them.
    private static readonly string[] TrainingStates = ["training_args", "optimizer", "scheduler", "scaler", "rng_state"];

    /// <summary>Hugging Face's own format.</summary>
    public static WeightForm Safetensors { get; } = new(".safetensors", [(Transformers, Transformers), (Diffusers, Diffusers)]);

    /// <summary>What torch.save writes.</summary>
    public static WeightForm Torch { get; } = new(".bin", [("pytorch_model", Transformers), (Diffusers, Diffusers)]);

    /// <summary>True for a file that torch.save wrote, by its name.</summary>
    public static bool IsTorch(string name) =>
        TorchEndings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    /// <summary>As <see cref="IsTorch"/> for one that may be a model's weights.</summary>
    public static bool IsTorchWeights(string name) =>
        IsTorch(name) && !TrainingStates.Any(state => name.StartsWith(state, StringComparison.Ordinal));

    /// <summary>What safetensors files of a model start with that has this one file.</summary>
    public static string BaseName(string name)
    {
        string stored = Path.GetFileNameWithoutExtension(name);
        return IsTorch(name) && stored == Torch.BaseNames[0].Stored ? Torch.BaseNames[0].Written : stored;
    }

    /// <summary>True for a name of this format.</summary>
    public bool Is(string name) => name.EndsWith(Ending, StringComparison.Ordinal);
}
