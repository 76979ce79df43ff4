namespace Bnb.Engine.Architectures;

/// <summary>One class of transformers or diffusers. Paths of modules and tensors have <c>*</c> for numbers.</summary>
internal sealed class ModelClass
{
    private readonly IReadOnlyDictionary<string, SavedTensor> _tensors;

    /// <summary>Takes what an <see cref="AtlasRecord"/> says.</summary>
    public ModelClass(
        string name, string? modelType, IReadOnlyList<Loader> loaders, IReadOnlyDictionary<string, SavedTensor> tensors)
    {
        Name = name;
        ModelType = modelType;
        Loaders = loaders;
        _tensors = tensors;
    }

    /// <summary>Name of the class.</summary>
    public string Name { get; }

    /// <summary><c>model_type</c> of its configuration; null in diffusers.</summary>
    public string? ModelType { get; }

    /// <summary>Libraries that have the class.</summary>
    public IReadOnlyList<Loader> Loaders { get; }

    /// <summary>The model can generate text.</summary>
    public bool Generates { get; init; }

    /// <summary>Modules in memory that are its language model, when that is a part of the whole.</summary>
    public IReadOnlyList<string> LanguageModules { get; init; } = [];

    /// <summary>
    /// Modules in memory whose weight is another module's and so need not be in a file, each with the other module where known.
    /// </summary>
    public IReadOnlyList<TiedModule> TiedModules { get; init; } = [];

    /// <summary>Linear layers in memory that transformers 5 makes of tensors it splits or merges.</summary>
    public IReadOnlyList<string> RebuiltModules { get; init; } = [];

    /// <summary>Names that loaders add to every skip list: a list for each of <see cref="Loaders"/>, in their order; none at all when it is empty.</summary>
    public IReadOnlyList<IReadOnlyList<string>> KeptInFloat32 { get; init; } = [];

    /// <summary>All patterns of saved tensors.</summary>
    public IEnumerable<KeyValuePair<string, SavedTensor>> Tensors => _tensors;

    /// <summary>Where the loader stands in <see cref="Loaders"/>; -1 when it does not have the class.</summary>
    // A loop, as in SavedTensor: queries over enums are compiled anew in every process.
    public int IndexOf(Loader loader)
    {
        for (int i = 0; i < Loaders.Count; i++)
            if (Loaders[i] == loader) return i;

        return -1;
    }

    /// <summary>Facts about a tensor, by the pattern of its saved name; null when the class has none of that name.</summary>
    public SavedTensor? Find(string pattern) => _tensors.GetValueOrDefault(pattern);
}
