using System.Globalization;

namespace Bnb.Engine.Text;

/// <summary>Sizes as users write them and as this tool prints them.</summary>
/// <remarks>KB, MB, GB, TB are powers of 1000 as in transformers' <c>max_shard_size</c>; KiB, MiB, GiB, TiB powers of 1024.</remarks>
internal static class ByteSize
{
    private static readonly (string Suffix, long Factor)[] Units =
    [
        ("KIB", 1L << 10), ("MIB", 1L << 20), ("GIB", 1L << 30), ("TIB", 1L << 40),
        ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1), ("", 1),
    ];

    /// <summary>Parses <c>5GB</c>, <c>256MiB</c>, <c>1.5GB</c> or plain bytes; case does not matter.</summary>
    /// <returns>False for anything else, for zero, negatives and values beyond 2^62.</returns>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        string upper = text.Trim().ToUpperInvariant();
        foreach ((string suffix, long factor) in Units)
        {
            if (!upper.EndsWith(suffix, StringComparison.Ordinal)) continue;
            string number = upper[..^suffix.Length].TrimEnd();
            if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)) return false;
            if (value <= 0 || value > (decimal)(1L << 62) / factor) return false;
            bytes = (long)(value * factor);
            return bytes > 0;
        }

        return false;
    }

    /// <summary>Three significant digits and a decimal unit: <c>4.98 GB</c>, <c>812 MB</c>, <c>77 B</c>.</summary>
    public static string Format(long bytes)
    {
        string[] names = ["B", "kB", "MB", "GB", "TB", "PB"];
        double value = bytes;
        int unit = 0;
        // 999.5 and more would print as 1000: step to the next unit.
        while (value >= 999.5 && unit < names.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        string digits = unit == 0 || value >= 99.95 ? "F0" : value >= 9.995 ? "F1" : "F2";
        return value.ToString(digits, CultureInfo.InvariantCulture) + " " + names[unit];
    }

    /// <summary>All digits with thousands separators: <c>4,976,698,672</c>.</summary>
    public static string Exact(long bytes) => bytes.ToString("N0", CultureInfo.InvariantCulture);
}
