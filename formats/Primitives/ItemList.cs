namespace Bnb.Formats.Primitives;

/// <summary>Lists in messages: the first few items, then how many more there are.</summary>
public static class ItemList
{
    /// <summary>At most <see cref="FormatLimits.ListedItems"/> items and a count of the others.</summary>
    public static IReadOnlyList<(string Label, string Value)> Of(IReadOnlyList<(string Label, string Value)> items)
    {
        if (items.Count <= FormatLimits.ListedItems) return items;
        return [.. items.Take(FormatLimits.ListedItems), ("and", $"{items.Count - FormatLimits.ListedItems} more")];
    }

    /// <summary>The same for names in one line.</summary>
    public static string Names(IReadOnlyList<string> names)
    {
        string shown = string.Join(", ", names.Take(5).Select(DisplayText.Escape));
        return names.Count <= 5 ? shown : $"{shown} and {names.Count - 5} more";
    }
}
