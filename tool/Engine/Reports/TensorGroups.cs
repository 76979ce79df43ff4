using System.Globalization;

namespace Bnb.Engine.Reports;

/// <summary>
/// Folds rows that differ only in the numbers within their names: 32 layers become one row
/// <c>model.layers.{0-31}.mlp.up_proj.weight</c>. A reader sees all tensors without scrolling past thousands.
/// </summary>
internal static class TensorGroups
{
    /// <param name="key">What must be equal besides the name's pattern for rows to fold.</param>
    /// <returns>Display name and members, in the order of each group's first member.</returns>
    public static IReadOnlyList<(string Name, IReadOnlyList<T> Members)> Fold<T>(
        IEnumerable<T> rows, Func<T, string> name, Func<T, object> key) =>
        [.. rows
            .GroupBy(row => (Pattern: Pattern(name(row)), Key: key(row)))
            .Select(group => (Display(group.Key.Pattern, [.. group.Select(name)]), (IReadOnlyList<T>)[.. group]))];

    /// <summary>The name with every all-digit component replaced by a placeholder no component can contain.</summary>
    private static string Pattern(string name) =>
        string.Join('.', name.Split('.').Select(part => IsIndex(part) ? "\0" : part));

    private static bool IsIndex(string part) => part.Length is > 0 and < 10 && part.All(char.IsAsciiDigit);

    private static string Display(string pattern, IReadOnlyList<string> names)
    {
        string[] parts = pattern.Split('.');
        var split = names.Select(name => name.Split('.')).ToList();
        for (int i = 0; i < parts.Length; i++)
        {
            if (parts[i] == "\0") parts[i] = Ranges(split.Select(components => int.Parse(components[i], CultureInfo.InvariantCulture)));
        }

        return string.Join('.', parts);
    }

    /// <summary><c>3</c>, <c>{0-31}</c> or <c>{0-2,5,7-9}</c>.</summary>
    private static string Ranges(IEnumerable<int> numbers)
    {
        int[] sorted = [.. numbers.Distinct().Order()];
        if (sorted.Length == 1) return sorted[0].ToString(CultureInfo.InvariantCulture);
        var ranges = new List<string>();
        for (int start = 0, end; start < sorted.Length; start = end + 1)
        {
            end = start;
            while (end + 1 < sorted.Length && sorted[end + 1] == sorted[end] + 1) end++;
            ranges.Add(start == end ? $"{sorted[start]}" : $"{sorted[start]}-{sorted[end]}");
        }

        return "{" + string.Join(',', ranges) + "}";
    }
}
