using System.Text;

namespace Bnb.Cli.Terminal;

/// <summary>Makes texts fit a number of columns. One character counts as one column; names of tensors are ASCII but for rare cases.</summary>
internal static class DisplayWidth
{
    private const char Gap = '…';

    /// <summary>
    /// The text, or its beginning and its end with <c>…</c> between: in names of tensors both say more than the middle does. The
    /// end gets what is left over.
    /// </summary>
    public static string CutMiddle(string text, int width)
    {
        if (text.Length <= width) return text;
        if (width <= 1) return width <= 0 ? "" : Gap.ToString();
        int head = (width - 1) / 2, tail = width - 1 - head;
        // No half of a surrogate pair.
        if (char.IsHighSurrogate(text[head - (head > 0 ? 1 : 0)]) && head > 0) head--;
        if (char.IsLowSurrogate(text[^tail])) tail--;
        return string.Concat(text.AsSpan(0, head), Gap.ToString(), text.AsSpan(text.Length - tail));
    }

    /// <summary>The text, or its beginning with <c>…</c> behind.</summary>
    public static string CutEnd(string text, int width) =>
        text.Length <= width ? text : width <= 0 ? "" : string.Concat(text.AsSpan(0, width - 1), Gap.ToString());

    /// <summary>
    /// The text in lines of at most <paramref name="width"/> columns, broken at blanks; what has none and is longer stays whole, for
    /// a path that is broken cannot be copied. Lines after the first begin with <paramref name="indent"/> blanks.
    /// </summary>
    public static string Wrap(string text, int width, int indent)
    {
        if (text.Length <= width) return text;
        var wrapped = new StringBuilder();
        int column = 0;
        bool isFirst = true, holdsWord = false;
        foreach (string word in text.Split(' '))
        {
            if (holdsWord && word.Length > 0 && column + 1 + word.Length > width)
            {
                wrapped.Append('\n').Append(' ', indent);
                (column, holdsWord) = (indent, false);
            }
            else if (!isFirst)
            {
                wrapped.Append(' ');
                column++;
            }

            wrapped.Append(word);
            column += word.Length;
            holdsWord |= word.Length > 0;
            isFirst = false;
        }

        return wrapped.ToString();
    }
}
