using System.Globalization;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Comparing;
using Bnb.Engine.Reports;
using Bnb.Formats.Primitives;
using Spectre.Console;

namespace Bnb.Cli.Screens;

/// <summary>The result of <c>diff</c> on a screen: what differs, worst first, and one line that says whether anything does.</summary>
internal static class DiffScreen
{
    public static void Write(DiffSummary summary, ITerminal terminal, Verbosity verbosity) => TableConsole.Print(terminal, console =>
    {
        IReadOnlyList<WeightDiff> shown = summary.Request.All ? summary.Weights : summary.Differing;
        if (shown.Count > 0) console.Write(TableFit.Of(console, Table(shown, verbosity >= Verbosity.Detailed), "first at", "absmax", "B", "A", "codes", "max abs"));
        TableConsole.WriteFacts(console, [.. Facts(summary)]);
        console.WriteLine();
        console.Write(new Text(DisplayText.Escape(Verdict(summary)) + "\n"));
    });

    /// <summary>Rows that differ alike share one, which shows the worst numbers among them.</summary>
    private static Table Table(IReadOnlyList<WeightDiff> shown, bool everyTensor)
    {
        // Two columns for packed pairs only.
        bool hasCodes = shown.Any(weight => weight.Codes is not null);
        List<(string, bool)> columns = [("tensor", false), ("A", false), ("B", false), ("difference", false)];
        if (hasCodes) columns.AddRange([("codes", true), ("absmax", true)]);
        columns.AddRange([("max abs", true), ("rel. RMSE", true), ("first at", true)]);
        Table table = TableConsole.NewTable([.. columns]);
        var groups = TensorGroups.Fold(
            shown,
            weight => weight.Name,
            weight => new DiffRow(weight.A?.Format, weight.B?.Format, Difference(weight), everyTensor ? weight.Name : ""));
        foreach ((string name, IReadOnlyList<WeightDiff> members) in groups.OrderByDescending(group => group.Members.Max(member => member.Severity)))
        {
            WeightDiff first = members[0];
            List<string> cells = [DisplayText.Escape(name), Side(first.A, first.B), Side(first.B, first.A), Difference(first)];
            if (hasCodes) cells.AddRange([Codes(members), Worst(members, member => member.Absmax?.MaxRelative, Share)]);
            cells.Add(Worst(members, member => member.Values?.Error?.MaxAbs, Short));
            cells.Add(Worst(members, member => member.Values?.Error?.RelativeRmse, Share));
            cells.Add(members.Count == 1 ? FirstAt(first) : "");
            table.AddRow(cells.Select(cell => new Text(cell)));
        }

        return table;
    }

    private static string Side(DiffWeight? weight, DiffWeight? other)
    {
        if (weight is null) return "-";
        bool sameShape = other is null || weight.Shape.SequenceEqual(other.Shape);
        return sameShape ? weight.Format : $"{weight.Format} {weight.ShapeText}";
    }

    /// <summary>In words what the numbers beside it cannot say.</summary>
    private static string Difference(WeightDiff weight)
    {
        if (weight.Status == DiffStatus.Equal) return "equal";
        if (weight.Status == DiffStatus.Added) return "only in B";
        if (weight.Status == DiffStatus.Removed) return "only in A";
        List<string> words = [.. weight.Changes.Select(change => change.What)];
        if (weight.Values is { Differing: > 0 }) words.Add("values");
        else if (weight.BytesEqual == false) words.Add("bytes, no value");
        else if (weight.Values is not null) words.Add("same values");
        if (weight.Values?.Error?.NonFinite > 0) words.Add("NaN or Inf on one side");
        return string.Join(", ", words);
    }

    private static string Codes(IReadOnlyList<WeightDiff> members)
    {
        List<CodeDrift> codes = [.. members.Select(member => member.Codes).OfType<CodeDrift>()];
        long changed = codes.Sum(code => code.Changed), count = codes.Sum(code => code.Count);
        return codes.Count == 0 ? "" : changed == 0 ? "0" : $"{TableConsole.Number(changed)} ({Share((double)changed / count)})";
    }

    private static string Worst(IReadOnlyList<WeightDiff> members, Func<WeightDiff, double?> value, Func<double, string> format) =>
        members.Max(value) is { } worst ? format(worst) : "";

    /// <summary>Row and column of the first differing value, or what stands for it.</summary>
    private static string FirstAt(WeightDiff weight)
    {
        if (weight.Values is { First: >= 0 } values)
        {
            return weight.Shape.Count == 2 && values.Count == weight.Shape[0] * weight.Shape[1]
                ? $"[{values.First / weight.Shape[1]}, {values.First % weight.Shape[1]}]"
                : $"[{values.First}]";
        }

        return weight.Absmax is { First: >= 0 } absmax ? $"block {absmax.First}" : "";
    }

    private static IEnumerable<(string Label, string Value)> Facts(DiffSummary summary)
    {
        int Count(DiffStatus status) => summary.Weights.Count(weight => weight.Status == status);
        yield return ("tensors", string.Create(
            CultureInfo.InvariantCulture,
            $"{Count(DiffStatus.Equal)} equal, {Count(DiffStatus.Changed)} different, {Count(DiffStatus.Removed)} only in A, {Count(DiffStatus.Added)} only in B"));
        if (!summary.Config.IsEmpty) yield return ("config.json", Names(summary.Config));
        if (!summary.Metadata.IsEmpty) yield return ("metadata", Names(summary.Metadata));
        yield return ("time", $"{TableConsole.Number(summary.Elapsed.TotalSeconds, 2)} s");
    }

    private static string Names(TextDiff diff)
    {
        IEnumerable<(string Word, IReadOnlyList<string> Names)> kinds =
            [("changed", diff.Changed), ("only in A", diff.Removed), ("only in B", diff.Added)];
        return string.Join("; ", kinds.Where(kind => kind.Names.Count > 0).Select(kind => $"{kind.Word}: {string.Join(", ", kind.Names)}"));
    }

    private static string Verdict(DiffSummary summary)
    {
        if (summary.IsEqual) return string.Create(CultureInfo.InvariantCulture, $"equal: all {summary.Weights.Count} tensors");
        if (summary.Differing.Count == 0) return "different: the tensors are equal, config.json or metadata are not";
        string verdict = string.Create(CultureInfo.InvariantCulture, $"different: {summary.Differing.Count} of {summary.Weights.Count} tensors");
        return summary.Worst is { } worst
            ? $"{verdict}; the largest relative RMSE is {(worst.Values!.Error!.RelativeRmse is { } error ? Share(error) : "infinite")}, in {worst.Name}"
            : verdict;
    }

    private static string Share(double value) => value == 0 ? "0" : $"{(value * 100).ToString("G3", CultureInfo.InvariantCulture)} %";

    private static string Short(double value) => value.ToString("G4", CultureInfo.InvariantCulture);

    private sealed record DiffRow(string? FormatOfA, string? FormatOfB, string Difference, string Name);
}
