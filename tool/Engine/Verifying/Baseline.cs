using System.Globalization;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Verifying;

/// <summary>
/// An earlier run's JSON report that this run must not be worse than. Limits allow for what quantization costs; a baseline
/// also catches what got worse within the limits.
/// </summary>
internal sealed class Baseline
{
    /// <summary>Code of every complaint about the file.</summary>
    public const string ErrorCode = "BASELINE-FILE";

    /// <summary>Rule of every finding made here.</summary>
    public const string Rule = "regression";

    /// <summary>An error grew when it is above the old one times this, plus <see cref="Slack"/>.</summary>
    public const double Growth = 1.01;

    /// <summary>Lets a perfect layer's error of 0 become a rounding error.</summary>
    public const double Slack = 1e-9;

    // 20,000 layers, as models of many experts have, take about 50 MB.
    private const int MostBytes = 256_000_000;
    private const int ListedLayers = 20;

    private readonly Dictionary<string, BaselineLayer> _layers = new(StringComparer.Ordinal);

    private Baseline(JsonInput input, JsonElement root)
    {
        Dictionary<string, JsonElement> members = input.Members(root, "the file");
        if (!members.TryGetValue("schema_version", out JsonElement version)
            || version.ValueKind != JsonValueKind.Number || !version.TryGetInt32(out int number) || number != VerificationReport.SchemaVersion)
        {
            throw input.RefuseMember(
                "schema_version", JsonInput.Found(version), VerificationReport.SchemaVersion.ToString(CultureInfo.InvariantCulture));
        }

        if (!members.TryGetValue("layers", out JsonElement layers) || layers.ValueKind != JsonValueKind.Array)
            throw input.RefuseMember("layers", JsonInput.Found(layers), "an array of objects");
        foreach (JsonElement element in layers.EnumerateArray())
        {
            string place = $"layers[{_layers.Count}]";
            BaselineLayer layer = BaselineLayer.Read(element, place, input);
            if (!_layers.TryAdd(layer.Name, layer))
                throw input.RefuseMember(place + ".name", DisplayText.Escape(layer.Name) + " again", "every layer once");
        }
    }

    /// <summary>Reads the JSON report of an earlier run, from a file or from what --json printed.</summary>
    /// <exception cref="UserErrorException">BASELINE-FILE: it cannot be read or is no report of this schema version.</exception>
    public static Baseline Read(string path)
    {
        JsonInput input = InputOf(path);
        using JsonDocument document = input.Read(MostBytes);
        return new Baseline(input, document.RootElement);
    }

    /// <summary>Reads the content of a file. Pure: touches no file.</summary>
    /// <param name="path">For messages.</param>
    /// <exception cref="UserErrorException">BASELINE-FILE: it is no report of this schema version.</exception>
    public static Baseline Parse(ReadOnlyMemory<byte> json, string path)
    {
        JsonInput input = InputOf(path);
        using JsonDocument document = input.Parse(json);
        return new Baseline(input, document.RootElement);
    }

    private static JsonInput InputOf(string path) => new(path, ErrorCode, "give a report that --report FILE.json of this version wrote");

    /// <summary>
    /// The report with a failing finding for whatever got worse, and remarks for what cannot be compared. Worse is: an error
    /// more than 1 % larger, any more differing codes or absmax values, a layer that is no longer there.
    /// </summary>
    /// <param name="layerNames">
    /// All quantized weights of the checkpoint. Without it, the layers missing from a report on a sample count as not checked
    /// and not as gone.
    /// </param>
    public VerificationReport Compare(VerificationReport report, IEnumerable<string>? layerNames = null)
    {
        IReadOnlyList<LayerResult> layers = [.. report.Layers.Select(Compare)];
        List<Finding> findings = [.. report.Findings];
        HashSet<string> measured = new(report.Layers.Select(static layer => layer.Name), StringComparer.Ordinal);
        bool whole = layerNames is not null || report.Layers.Count == report.LayersInCheckpoint;
        HashSet<string> present = new(layerNames ?? measured, StringComparer.Ordinal);
        present.UnionWith(measured);

        List<string> absent = [.. _layers.Keys.Where(name => !present.Contains(name)).Order(StringComparer.Ordinal)];
        if (whole)
        {
            findings.AddRange(absent.Take(ListedLayers).Select(static name =>
                new Finding(Rule, $"{DisplayText.Escape(name)} of the baseline is no longer a quantized layer", true)));
            if (absent.Count > ListedLayers)
                findings.Add(new Finding(Rule, $"{absent.Count - ListedLayers} more layers of the baseline are gone", true));
        }

        int notChecked = _layers.Keys.Count(name => !measured.Contains(name)) - (whole ? absent.Count : 0);
        if (notChecked > 0) findings.Add(new Finding(Rule, $"{Layers(notChecked)} of the baseline not checked in this run", false));
        List<string> added = [.. report.Layers.Select(static layer => layer.Name).Where(name => !_layers.ContainsKey(name))];
        if (added.Count > 0)
        {
            string names = string.Join(", ", added.Take(3).Select(DisplayText.Escape)) + (added.Count > 3 ? ", ..." : "");
            findings.Add(new Finding(Rule, $"{Layers(added.Count)} not in the baseline: {names}", false));
        }

        return report with { Layers = layers, Findings = FailuresFirst(findings) };
    }

    private LayerResult Compare(LayerResult layer)
    {
        if (!_layers.TryGetValue(layer.Name, out BaselineLayer? old)) return layer;
        List<Finding> found = [];
        Counted("differing codes", old.CodesDiffering, layer.Faithfulness.CodesDiffering);
        Counted("differing absmax values", old.AbsmaxDiffering, layer.Faithfulness.AbsmaxDiffering);
        Measured("weight error", old.RelativeRmse, layer.Weight.RelativeRmse);
        if (old.Gemm is { } was && layer.Gemm is { } now)
        {
            Measured("product error", was.TotalRelativeError, now.TotalRelativeError);
            // bfloat16 rounds eight times as coarsely as float16: between the two, growth says nothing about the kernel.
            string before = DisplayText.Escape(was.ComputeDType), after = DisplayText.Escape(now.ComputeDType);
            if (before == after) Measured("kernel error", was.KernelRelativeError, now.KernelRelativeError);
            else Remark($"kernel error not compared: {before} in the baseline, {after} now");
        }
        else if (old.Gemm is not null)
        {
            Remark("product not run, the baseline has one");
        }

        return found.Count == 0 ? layer : layer with { Findings = FailuresFirst([.. layer.Findings, .. found]) };

        void Counted(string what, long before, long after)
        {
            if (after > before) Fail(string.Create(CultureInfo.InvariantCulture, $"{what}: {before:N0} in the baseline, {after:N0} now"));
        }

        void Measured(string what, double before, double after)
        {
            if (!Grew(before, after)) return;
            Fail(string.Create(CultureInfo.InvariantCulture, $"{what}: {before:G4} in the baseline, {after:G4} now"));
        }

        void Fail(string text) => found.Add(new Finding(Rule, text, true));

        void Remark(string text) => found.Add(new Finding(Rule, text, false));
    }

    /// <summary>NaN is worse than any number, and nothing is worse than NaN.</summary>
    private static bool Grew(double before, double after) =>
        double.IsNaN(after) ? !double.IsNaN(before) : after > before * Growth + Slack;

    private static string Layers(int count) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} layer{(count == 1 ? "" : "s")}");

    private static Finding[] FailuresFirst(IEnumerable<Finding> findings) => [.. findings.OrderByDescending(static finding => finding.Fails)];
}
