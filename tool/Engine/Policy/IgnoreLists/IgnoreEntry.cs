namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>What may be written into an ignore list as the name of one module.</summary>
internal static class IgnoreEntry
{
    /// <summary>Begins an entry that is a regular expression.</summary>
    public const string RegexMark = "re:";

    /// <summary>
    /// Whether every reader takes <paramref name="name"/> for one module and nothing else. Not so when it begins like a
    /// regular expression, or could be the name of a class, which would ignore all layers of the class: a single component
    /// that starts with a capital letter (<c>Linear</c>, <c>Module</c>, a model's own subclass). Text that a JSON file or a
    /// report cannot show faithfully is refused as well.
    /// </summary>
    public static bool IsUsable(string name)
    {
        if (name.Length == 0 || name.StartsWith(RegexMark, StringComparison.Ordinal)) return false;
        if (char.IsUpper(name[0]) && !name.Contains('.', StringComparison.Ordinal)) return false;
        foreach (char value in name)
            if (char.IsControl(value) || char.IsSurrogate(value)) return false;

        return true;
    }
}
