using System.Buffers;

namespace Bnb.Engine.Policy.SkipLists;

/// <summary>What may be written into a skip list.</summary>
internal static class SkipEntry
{
    private static readonly SearchValues<char> RegexSyntax = SearchValues.Create("\\^$*+?{}[]|()");

    /// <summary>No regex syntax but the dot, so v5 reads it as itself with dots as wildcards.</summary>
    public static bool IsLiteral(string text) => !text.AsSpan().ContainsAny(RegexSyntax);

    /// <summary>
    /// Whether a piece of a module name can stand in the list: literal (v4 and vLLM compare text while v5 compiles it, so
    /// nothing can be escaped), printable, and not empty at either end, since an empty regex would match every module.
    /// </summary>
    public static bool IsUsable(string text)
    {
        if (text.Length == 0 || text[0] == '.' || text[^1] == '.' || !IsLiteral(text)) return false;
        foreach (char value in text)
            if (char.IsControl(value) || char.IsSurrogate(value)) return false;

        return true;
    }

    /// <summary>
    /// An entry that covers one name and nothing else in v5, whose expressions may say where they end. To v4 and vLLM, which
    /// compare it as text, it means nothing.
    /// </summary>
    public static string ExactName(string name) => name + "$";

    /// <summary>
    /// Companion of a word entry that covers an inner component in v5, where the word alone only matches at the start or
    /// the end. Harmless to v4 and vLLM, which look for it as text. The trailing <c>.*</c> serves anchored matching.
    /// </summary>
    public static string InnerComponent(string word) => $".*\\.{word}\\..*";
}
