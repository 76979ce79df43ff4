using System.CommandLine.Parsing;
using System.Globalization;
using Bnb.Engine.Text;
using Bnb.Quant.Numerics;

namespace Bnb.Cli.Options;

/// <summary>
/// Value parsers for options. Each names the option, what was found and what is accepted; System.CommandLine's own
/// messages name .NET types.
/// </summary>
internal static class Choice
{
    // No buffer, file or GPU is as small as this.
    private const long SmallestWithoutUnit = 1024;

    /// <summary>One word of a fixed list, exactly as written there.</summary>
    public static Func<ArgumentResult, T> Parser<T>(IReadOnlyDictionary<string, T> choices) => result =>
    {
        string text = result.Tokens[^1].Value;
        if (choices.TryGetValue(text, out T? value)) return value;
        if (text.StartsWith("--", StringComparison.Ordinal))
        {
            result.AddError($"{OptionName(result)} needs a value before '{text}': {string.Join(", ", choices.Keys)}");
            return default!;
        }

        if (text.Contains(',', StringComparison.Ordinal) && choices.ContainsKey(text.Split(',')[0].Trim()))
        {
            result.AddError($"{OptionName(result)} cannot take '{text}'; it takes one of {string.Join(", ", choices.Keys)}");
            return default!;
        }

        string? meant = Synonyms.Value(text, [.. choices.Keys]);
        result.AddError($"{OptionName(result)} does not know '{text}'; it takes {string.Join(", ", choices.Keys)}{(meant is null ? "" : $"; did you mean {meant}?")}");
        return default!;
    };

    /// <summary>A floating-point dtype by torch's name.</summary>
    public static Func<ArgumentResult, ElementType?> FloatType { get; } = Parser(new Dictionary<string, ElementType?>
    {
        ["bfloat16"] = ElementType.BF16,
        ["float16"] = ElementType.F16,
        ["float32"] = ElementType.F32,
    });

    /// <summary>A size such as 5GB or 256MiB, in bytes.</summary>
    public static long Size(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (ByteSize.TryParse(text, out long bytes))
        {
            bool forgotUnit = bytes < SmallestWithoutUnit && char.IsAsciiDigit(text.Trim()[^1]);
            if (forgotUnit) result.AddError($"{OptionName(result)} cannot take '{text}', which is {text.Trim()} bytes; did you mean {text.Trim()}GB, or {text.Trim()}GiB?");
            return bytes;
        }

        result.AddError($"{OptionName(result)} cannot read '{text}' as a size; {SizeHint(text)}");
        return 0;
    }

    /// <summary>
    /// A path. An empty one is an unset variable in a script, and one that begins with a dash a misspelt option: taken at
    /// their word, both would create folders nobody meant.
    /// </summary>
    public static string FilePath(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        CheckPath(result, text);
        return text;
    }

    /// <summary>Several, of an option that may be repeated.</summary>
    public static string[] FilePaths(ArgumentResult result)
    {
        string[] paths = [.. result.Tokens.Select(static token => token.Value)];
        foreach (string path in paths) CheckPath(result, path);
        return paths;
    }

    private static void CheckPath(ArgumentResult result, string text)
    {
        if (text.Length == 0) result.AddError($"{OptionName(result)} is empty; it takes a path");
        else if (text[0] == '-') result.AddError($"{OptionName(result)} cannot take '{text}': no such option; if it is a path, write './{text}'");
        else if (text is "~" || text.StartsWith("~/", StringComparison.Ordinal))
            result.AddError($"{OptionName(result)} cannot take '{text}': the shell leaves ~ as it is inside quotes and after =; write the folder, or './{text}' if it is called that");
        else if (text.Contains('\ufffd', StringComparison.Ordinal) && !Path.Exists(text))
            result.AddError($"{OptionName(result)} holds bytes that are not UTF-8, and such a path cannot be opened or made: rename it");
        else if (text.StartsWith("file://", StringComparison.OrdinalIgnoreCase) && result.Parent is OptionResult)
            result.AddError($"{OptionName(result)} cannot take '{text}'; it takes a path, without file://");
        else if (text.Contains('\0', StringComparison.Ordinal)) result.AddError($"{OptionName(result)} holds a NUL character, which no path may");
    }

    /// <summary>A whole number between two bounds.</summary>
    public static Func<ArgumentResult, int> Number(int least, int most) => result =>
    {
        string text = result.Tokens[^1].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most) return value;
        bool isThousands = text.Length > 1 && text[^1] is 'k' or 'K' && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out value) && value < most / 1024;
        result.AddError($"{OptionName(result)} cannot take '{text}'; {(isThousands ? $"write {value * 1000}, or {value * 1024}" : $"it is a whole number from {least} to {most}")}");
        return least;
    };

    /// <summary>A whole number of 64 bits.</summary>
    public static ulong Seed(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)) return value;
        result.AddError($"{OptionName(result)} cannot take '{text}'; it is a whole number from 0 to {ulong.MaxValue}");
        return 0;
    }

    /// <summary>Any finite number.</summary>
    public static double Number(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)) return value;
        result.AddError($"{OptionName(result)} cannot take '{text}'; it is a number such as 18.5");
        return 0;
    }

    /// <summary>A number above zero, with a decimal point if need be.</summary>
    public static double PositiveNumber(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0 && double.IsFinite(value)) return value;
        result.AddError($"{OptionName(result)} cannot take '{text}'; it is a number above zero such as 0.12");
        return 1;
    }

    /// <summary>A quotient of two numbers that are nearly the same: who writes 2% means 1.02.</summary>
    public static double Quotient(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value > 0 && double.IsFinite(value)) return value;
        bool isPercent = text.EndsWith('%') && double.TryParse(text[..^1], NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);
        string meant = (1 + (value / 100)).ToString("0.######", CultureInfo.InvariantCulture);
        result.AddError($"{OptionName(result)} cannot take '{text}'; {(isPercent ? $"for {text[..^1].Trim()} % more write {meant}" : "it is a number above zero such as 1.02")}");
        return 1;
    }

    /// <summary>Zero, or a number above it that a float32 can hold.</summary>
    public static double NumberFromZero(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= 0 && value <= float.MaxValue) return value;
        result.AddError($"{OptionName(result)} cannot take '{text}'; it is zero or a number above it such as 6.0");
        return 0;
    }

    /// <summary>A relative error: above zero and at most 1. Who writes 12 means 12 %, and a limit of 1200 % would let everything
    /// pass.</summary>
    public static double RelativeError(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        string number = text.TrimEnd('%', ' ');
        if (!double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) || !(value > 0) || !double.IsFinite(value))
        {
            result.AddError($"{OptionName(result)} cannot take '{text}'; it is a number above zero such as 0.12");
            return 1;
        }

        if (number.Length == text.Length && value <= 1) return value;
        string meant = (value / 100).ToString("0.######", CultureInfo.InvariantCulture);
        result.AddError($"{OptionName(result)} cannot take '{text}'; it is a ratio: for {number} % write {meant}");
        return 1;
    }

    /// <summary>1G and 5 K say neither powers of 1000 nor of 1024.</summary>
    private static string SizeHint(string text)
    {
        string trimmed = text.Trim();
        bool isHalfUnit = trimmed.Length > 1 && "KMGTkmgt".Contains(trimmed[^1], StringComparison.Ordinal) && char.IsAsciiDigit(trimmed[^2]);
        string letter = isHalfUnit ? trimmed[..^1] + char.ToUpperInvariant(trimmed[^1]) : "";
        return isHalfUnit ? $"write {letter}B for powers of 1000 or {letter}iB for powers of 1024" : "write for example 5GB, 500MB or 256MiB";
    }

    private static string OptionName(ArgumentResult result) => (result.Parent as OptionResult)?.IdentifierToken?.Value ?? result.Argument.Name;
}
