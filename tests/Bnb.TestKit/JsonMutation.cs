using System.Text;

namespace Bnb.TestKit;

/// <summary>
/// Seeded changes to a JSON text by its words: most of what comes out is still JSON, so that the rules behind the grammar are
/// reached. The same seed gives the same texts, on every machine.
/// </summary>
public sealed class JsonMutation(ulong seed)
{
    private const int DeepestNest = 200;

    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "1", "-1", "-0", "1.0", "1e0", "0.5", "1e999", "-1e999", "1e-999", "255", "65536", "2147483647", "2147483648",
        "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "-9223372036854775808", "123456789012345678901234567890", "NaN", "Infinity", "-Infinity", "[]", "{}", "[[]]", "[{}]", "{\"\":{}}", "[0]", "[0,0]",
        "\"\"", "\" \"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\u0000\"", "\"\\u202e\"", "\"\\u001b[2J\"", "\"\u009b\"", "\"/etc/passwd\"", "\"../x\"",
        "\"C:\\\\x\"", "\"a/b\"", "\"*\"", "\"re:(\"", "\"re:(a+)+$\"", "\"a*b*c*d*e*\"", "\"NaN\"", "\"nf4\"", "\"F32\"", "\"true\"", "\"0\"", "1 ", ",", ":", "{", "}", "[", "]",
    ];

    private readonly Dice _dice = new(seed);
    private readonly Mutation _bytes = new(seed + 1);

    /// <summary>A copy with one to four changes; one in eight also has some of its bytes changed.</summary>
    /// <param name="text">What is changed.</param>
    /// <param name="others">Where pieces are taken from.</param>
    public byte[] Of(byte[] text, IReadOnlyList<byte[]> others)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(others);
        List<byte[]> words = Words(text);
        for (int changes = 1 + _dice.Next(4); changes > 0; changes--) Change(words, others);
        byte[] changed = [.. words.SelectMany(static word => word)];
        return _dice.Next(8) == 0 ? _bytes.Of(changed, others) : changed;
    }

    private void Change(List<byte[]> words, IReadOnlyList<byte[]> others)
    {
        if (words.Count == 0) return;
        int at = _dice.Next(words.Count);
        switch (_dice.Next(10))
        {
            case 0:
            case 1:
                words[at] = Encoding.UTF8.GetBytes(Values[_dice.Next(Values.Length)]);
                break;
            case 2:
                words.RemoveAt(at);
                break;
            case 3:
                words.RemoveRange(at, Member(words, at));
                break;
            case 4:
                words.InsertRange(at, words.GetRange(at, Member(words, at)));
                break;
            case 5:
                int with = _dice.Next(words.Count);
                (words[at], words[with]) = (words[with], words[at]);
                break;
            case 6:
                int depth = _dice.Next(4) == 0 ? DeepestNest : 1 + _dice.Next(4);
                words[at] = [.. Enumerable.Repeat((byte)'[', depth), .. words[at], .. Enumerable.Repeat((byte)']', depth)];
                break;
            case 7:
                List<byte[]> other = Words(others[_dice.Next(others.Count)]);
                int from = _dice.Next(other.Count);
                words.InsertRange(at, other.GetRange(from, Math.Min(other.Count - from, 1 + _dice.Next(12))));
                break;
            case 8:
                words[at] = Escaped(words[at]);
                break;
            default:
                words[at] = [.. words[at], .. words[_dice.Next(words.Count)]];
                break;
        }
    }

    /// <summary>Words from one to the comma behind its value, or to where the brackets around it close.</summary>
    private static int Member(List<byte[]> words, int at)
    {
        int depth = 0;
        for (int end = at; end < words.Count; end++)
        {
            byte first = words[end][0];
            if (first is (byte)'{' or (byte)'[') depth++;
            if (first is (byte)'}' or (byte)']' && --depth < 0) return end - at;
            if (first == (byte)',' && depth == 0) return end - at + 1;
        }

        return words.Count - at;
    }

    /// <summary>A string with its first letter as an escape: the same text, spelled another way.</summary>
    private static byte[] Escaped(byte[] word) => word.Length > 2 && word[0] == (byte)'"' && char.IsAsciiLetterOrDigit((char)word[1])
        ? [(byte)'"', .. Encoding.ASCII.GetBytes($"\\u{(int)word[1]:x4}"), .. word.AsSpan(2)]
        : word;

    /// <summary>Strings, brackets, and runs of anything else; white space stays with the word before it. No word is empty.</summary>
    private static List<byte[]> Words(byte[] text)
    {
        var words = new List<byte[]>();
        for (int at = 0; at < text.Length;)
        {
            int end = at + 1;
            if (text[at] == (byte)'"')
            {
                while (end < text.Length && text[end] != (byte)'"') end += text[end] == (byte)'\\' ? 2 : 1;
                end = Math.Min(end + 1, text.Length);
            }
            else if (!IsMark(text[at]))
            {
                while (end < text.Length && text[end] != (byte)'"' && !IsMark(text[end])) end++;
            }

            while (end < text.Length && text[end] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') end++;
            words.Add(text[at..end]);
            at = end;
        }

        return words;
    }

    private static bool IsMark(byte c) => c is (byte)'{' or (byte)'}' or (byte)'[' or (byte)']' or (byte)',' or (byte)':';
}
