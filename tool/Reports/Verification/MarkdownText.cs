using System.Text;
using Bnb.Formats;

namespace Bnb.Tool.Reports.Verification;

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
        foreach (char c in shown)
        {
            // Letters alone can be markup only in "www.", which becomes a link.
            bool safe = char.IsLetterOrDigit(c) || char.IsSurrogate(c) || c is ' ' or ',' or ';' or '.' or '%' or '/';
            if (safe) text.Append(c);
            else text.Append("&#").Append((int)c).Append(';');
        }

        return text.Replace("www.", "www&#46;").Replace("WWW.", "WWW&#46;").ToString();
    }
}
