namespace Bnb.Formats.Json;

/// <summary>How a JSON text is laid out, so that an inserted member looks like its neighbours.</summary>
/// <param name="NewLine"><c>\n</c>, <c>\r\n</c>, or null for a text on one line.</param>
/// <param name="Indent">White space before a member of the outermost object.</param>
/// <param name="Colon">What stands between a name and its value.</param>
/// <param name="Comma">What stands between members, line breaks aside.</param>
internal sealed record JsonLayout(string? NewLine, string Indent, string Colon, string Comma)
{
    /// <summary>What stands before a member or a closing bracket at a depth; members of the outermost object have depth
    /// 1.</summary>
    public string LineBreak(int depth) => NewLine is null ? "" : NewLine + string.Concat(Enumerable.Repeat(Indent, depth));

    /// <summary>An object whose members, JSON texts themselves, have this depth; <c>{}</c> without members.</summary>
    public string Object(int depth, params IEnumerable<(string Name, string Value)> members) =>
        Bracketed('{', '}', depth, [.. members.Select(member => PythonJson.Text(member.Name) + Colon + member.Value)]);

    /// <summary>An array of texts that have this depth; <c>[]</c> without any.</summary>
    public string Texts(int depth, IEnumerable<string> texts) => Bracketed('[', ']', depth, [.. texts.Select(PythonJson.Text)]);

    private string Bracketed(char open, char close, int depth, string[] items) => items.Length == 0
        ? $"{open}{close}"
        : $"{open}{string.Join(Comma, items.Select(item => LineBreak(depth) + item))}{LineBreak(depth - 1)}{close}";
}
