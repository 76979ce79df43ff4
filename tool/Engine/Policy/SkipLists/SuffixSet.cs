namespace Bnb.Engine.Policy.SkipLists;

/// <summary>Tells whether any string of a fixed set ends with a given text: binary search over reversed strings.</summary>
internal sealed class SuffixSet
{
    private readonly string[] _reversed;

    /// <summary>Reverses and sorts the strings.</summary>
    public SuffixSet(IEnumerable<string> texts)
    {
        _reversed = [.. texts.Select(Reverse)];
        Array.Sort(_reversed, StringComparer.Ordinal);
    }

    /// <summary>Whether some string ends with <paramref name="suffix"/>.</summary>
    public bool AnyEndsWith(string suffix)
    {
        string wanted = Reverse(suffix);
        int at = Array.BinarySearch(_reversed, wanted, StringComparer.Ordinal);
        if (at >= 0) return true;
        // The first string that sorts behind the wanted text is the only place where one that starts with it can begin.
        return ~at < _reversed.Length && _reversed[~at].StartsWith(wanted, StringComparison.Ordinal);
    }

    private static string Reverse(string text) =>
        string.Create(text.Length, text, static (target, source) =>
        {
            source.CopyTo(target);
            target.Reverse();
        });
}
