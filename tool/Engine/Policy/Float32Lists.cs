using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.SkipLists;

namespace Bnb.Engine.Policy;

/// <summary>
/// Whether a class's own list (<c>_keep_in_fp32_modules</c>), which its loader adds to every other, holds a module. Not
/// thread-safe, as its lists are not.
/// </summary>
internal sealed class Float32Lists
{
    // Of each class, in the order of its loaders.
    private readonly Dictionary<ModelClass, SkipList?[]> _lists = [];

    /// <summary>Whether the loader keeps any module of the class.</summary>
    public bool HasAny(ModelClass model, Loader loader) => List(model, loader) is not null;

    /// <summary>In some version of the loader: such a module must not be packed.</summary>
    public bool InSome(ModelClass model, Loader loader, string module) => List(model, loader) is { } list
        && (loader == Loader.Transformers5 ? list.MatchesV5(module) || list.MatchesV5Anchored(module) : list.MatchesV4(module));

    /// <summary>In every version of the loader: such a module need not be in a list.</summary>
    public bool InEvery(ModelClass model, Loader loader, string module) => List(model, loader) is { } list
        && (loader == Loader.Transformers5 ? list.MatchesV5(module) && list.MatchesV5Anchored(module) : list.MatchesV4(module));

    private SkipList? List(ModelClass model, Loader loader)
    {
        int index = model.IndexOf(loader);
        if (index < 0 || index >= model.KeptInFloat32.Count) return null;
        if (!_lists.TryGetValue(model, out SkipList?[]? lists)) _lists[model] = lists = [.. model.KeptInFloat32.Select(Of)];
        return lists[index];
    }

    private static SkipList? Of(IReadOnlyList<string> names) => names.Count > 0 ? new SkipList(names) : null;
}
