namespace Bnb.Formats.Torch;

/// <summary>A dict or OrderedDict of a pickle: what was put in, in that order. Nothing is looked up, so keys may be of any
/// kind and repeat.</summary>
internal sealed class PickleDict(bool isOrdered)
{
    /// <summary>True for an OrderedDict, which alone may have attributes.</summary>
    public bool IsOrdered { get; } = isOrdered;

    public List<(PickleValue Key, PickleValue Value)> Items { get; } = [];
}
