using System.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports.Verification;

/// <summary>Text from files in GitHub-flavoured Markdown: shown as it is, never as markup, link or mention.</summary>
internal static class MarkdownText
{
    /// <summary>A name in code style; safe inside a table cell.</summary>
    public static string Code(string name)
    {
        string shown = DisplayText.Escape(name);
        bool plain = shown.Length > 0 && shown.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/' or ' ');
        // Entities mean nothing between backticks, so names with other characters need the HTML element.
        return plain && shown.Trim().Length == shown.Length ? $"`{shown}`" : $"<code>{Encode(shown)}</code>";
    }

    /// <summary>Text that is escaped for display already, with everything that Markdown could read as markup as an entity.</summary>
    public static string Encode(string shown)
    {
        StringBuilder text = new(shown.Length);
        for (int i = 0; i < shown.Length; i++)
        {
            char c = shown[i];
            // Letters alone are markup only in "www.", a colon only in "http:", a hyphen only where no word is around it.
            bool safe = char.IsLetterOrDigit(c) || char.IsSurrogate(c) || c is ' ' or ',' or ';' or '.' or '%' or '/' or '\'' or '(' or ')'
                || (c == ':' && i + 1 < shown.Length && shown[i + 1] == ' ')
                || (c == '-' && i > 0 && i + 1 < shown.Length && char.IsLetterOrDigit(shown[i - 1]) && char.IsLetterOrDigit(shown[i + 1]));
            if (safe) text.Append(c);
            else text.Append("&#").Append((int)c).Append(';');
        }

        return text.Replace("www.", "www&#46;").Replace("WWW.", "WWW&#46;").ToString();
    }
}
