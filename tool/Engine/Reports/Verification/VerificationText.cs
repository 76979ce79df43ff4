using System.Globalization;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Verifying;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The words and numbers that every human-readable format shares.</summary>
internal static class VerificationText
{
    /// <summary>A ratio as <c>9.20 %</c>; <c>NaN</c> and <c>∞</c> stay visible, and a small error never reads as none.</summary>
    public static string Percent(double ratio, int digits = 2)
    {
        double percent = ratio * 100;
        if (!double.IsFinite(percent)) return Special(percent);
        double magnitude = Math.Abs(percent);
        double smallest = Math.Pow(10, -digits);
        if (magnitude > 0 && magnitude < smallest / 2) return $"< {Fixed(smallest, digits)} %";
        return (magnitude >= 1e6 ? percent.ToString("E2", CultureInfo.InvariantCulture) : Fixed(percent, digits)) + " %";
    }

    /// <summary>The kernel's own error is 0.03 % to 0.3 %, so it takes a digit more.</summary>
    public static string KernelPercent(double ratio) => Percent(ratio, 3);

    /// <summary>Decibels without the unit; <c>∞</c> for a layer without any error.</summary>
    public static string Decibels(double value) => double.IsFinite(value) ? Fixed(value, 2) : Special(value);

    /// <summary>Four significant digits.</summary>
    public static string Significant(double value) =>
        double.IsFinite(value) ? value.ToString("G4", CultureInfo.InvariantCulture) : Special(value);

    /// <summary>Thousands separated.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary><c>1 layer</c>, <c>2 layers</c>.</summary>
    public static string Count(long value, string noun) => $"{Count(value)} {noun}{(value == 1 ? "" : "s")}";

    /// <summary><c>nf4 b64 double</c>, <c>int4 g128 symmetric</c> or <c>int8</c>, as <c>inspect</c> names formats.</summary>
    public static string Format(LayerResult layer)
    {
        string type = DisplayText.Escape(layer.QuantType);
        if (layer.Blocksize is not { } blocksize) return type;
        return layer.Symmetric is { } symmetric
            ? $"{type} g{Invariant(blocksize)} {(symmetric ? "symmetric" : "asymmetric")}"
            : $"{type} b{Invariant(blocksize)}{(layer.DoubleQuant ? " double" : "")}";
    }

    /// <summary>The path of the module that owns the weight, the whole name when it has none.</summary>
    public static string Module(LayerResult layer) => ModuleName.PathOfWeight(layer.Name) ?? layer.Name;

    /// <summary><c>0 of 6,738,149,376 codes differ</c>.</summary>
    public static string Codes(VerificationReport report) => $"{Count(report.CodesDiffering)} of {Count(report.Codes)} codes differ";

    /// <summary>How many layers were looked at, <c>224</c>, or <c>20 of 224</c> when that is not all of them.</summary>
    public static string Coverage(VerificationReport report) => report.Layers.Count == report.LayersInCheckpoint
        ? Count(report.Layers.Count)
        : $"{Count(report.Layers.Count)} of {Count(report.LayersInCheckpoint)}";

    /// <summary>One line for the whole run; the word in front is the verdict.</summary>
    public static string Verdict(VerificationReport report, VerificationTotals totals)
    {
        if (!report.Passed)
        {
            List<string> parts = [];
            if (totals.Failed > 0 || totals.CheckpointFailures == 0)
                parts.Add($"{Count(totals.Failed)} of {Count(totals.Checked, "layer")}");
            if (totals.CheckpointFailures > 0) parts.Add(Count(totals.CheckpointFailures, "checkpoint finding"));
            if (totals.Checked > 0) parts.Add(Codes(report));
            return "FAILED: " + string.Join(", ", parts);
        }

        // A run that looked at nothing must not read like a clean bill of health.
        if (totals.Checked == 0) return "verified nothing: no quantized layer was checked";
        string word = report.Layers.Count < report.LayersInCheckpoint ? "verified a sample" : "verified";
        WeightError worst = totals.Worst!.Weight;
        string error = $"weight error up to {Percent(worst.RelativeRmse)}{(worst.HasTheory ? $" (theory {Percent(worst.Expected)})" : "")}";
        string noun = report.LayersInCheckpoint == 1 ? "layer" : "layers";
        return $"{word}: {Coverage(report)} {noun}, {Codes(report)}, {error}";
    }

    /// <summary>What theory expects of a layer, or that it says nothing.</summary>
    public static string Theory(WeightError error) => error.HasTheory ? Percent(error.Expected) : "none";

    /// <summary>A finding as one line: <c>rel-error: text</c>.</summary>
    public static string Line(Finding finding) => $"{DisplayText.Escape(finding.Rule)}: {finding.Text}";

    /// <summary>A number without separators in any culture.</summary>
    public static string Invariant(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Fixed(double value, int digits) =>
        value.ToString("F" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private static string Special(double value) => double.IsNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
}
