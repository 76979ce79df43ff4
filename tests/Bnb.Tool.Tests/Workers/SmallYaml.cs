namespace Bnb.Tool.Tests.Workers;

/// <summary>
/// The part of YAML that job descriptions are written in: block mappings and sequences of plain or quoted scalars, sequences in
/// brackets. Anything else is an error.
/// </summary>
internal static class SmallYaml
{
    public static object Parse(IReadOnlyList<string> lines)
    {
        int next = 0;
        object root = Node(lines, ref next, 0);
        return next == lines.Count ? root : throw new FormatException($"line {next + 1}: {lines[next]}");
    }

    private static object Node(IReadOnlyList<string> lines, ref int next, int indent) =>
        lines[next][indent..].StartsWith("- ", StringComparison.Ordinal) ? Sequence(lines, ref next, indent) : Mapping(lines, ref next, indent);

    private static List<object> Sequence(IReadOnlyList<string> lines, ref int next, int indent)
    {
        var items = new List<object>();
        while (next < lines.Count && Indent(lines[next]) == indent && lines[next][indent..].StartsWith("- ", StringComparison.Ordinal))
        {
            string item = lines[next][(indent + 2)..];
            if (!item.Contains(": ", StringComparison.Ordinal))
            {
                items.Add(Scalar(item));
                next++;
                continue;
            }

            // The dash stands where the mapping's own indent would.
            List<string> rest = [.. lines];
            rest[next] = new string(' ', indent + 2) + item;
            items.Add(Mapping(rest, ref next, indent + 2));
        }

        return items;
    }

    private static Dictionary<string, object> Mapping(IReadOnlyList<string> lines, ref int next, int indent)
    {
        var members = new Dictionary<string, object>(StringComparer.Ordinal);
        while (next < lines.Count && Indent(lines[next]) == indent && !lines[next][indent..].StartsWith("- ", StringComparison.Ordinal))
        {
            string line = lines[next][indent..];
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0) throw new FormatException($"line {next + 1}: {line}");
            string value = line[(colon + 1)..].Trim();
            next++;
            members.Add(line[..colon], value.Length > 0 ? Scalar(value) : Node(lines, ref next, Indent(lines[next])));
        }

        return members;
    }

    private static object Scalar(string text)
    {
        if (text.StartsWith('[')) return text.Trim('[', ']').Split(',').Select(item => Scalar(item.Trim())).ToList();
        return text.StartsWith('"') ? text.Trim('"') : text;
    }

    private static int Indent(string line) => line.Length - line.TrimStart(' ').Length;
}
