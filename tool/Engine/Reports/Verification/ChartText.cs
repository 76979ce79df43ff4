using System.Globalization;

namespace Bnb.Engine.Reports.Verification;

/// <summary>Numbers on axes.</summary>
internal static class ChartText
{
    /// <summary>A ratio in percent with no more digits than it needs.</summary>
    public static string Percent(double ratio) => Short(ratio * 100) + " %";

    /// <summary>Up to six significant digits, no trailing zeros.</summary>
    public static string Short(double value) =>
        Math.Abs(value) is >= 1e6 or (> 0 and < 1e-4)
            ? value.ToString("0.#E0", CultureInfo.InvariantCulture)
            : Math.Round(value, 6).ToString("0.######", CultureInfo.InvariantCulture);
}
