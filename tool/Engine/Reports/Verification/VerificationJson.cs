using System.Globalization;
using System.Text;
using System.Text.Json;
using Bnb.Engine.Text;
using Bnb.Engine.Verifying;

namespace Bnb.Engine.Reports.Verification;

/// <summary>
/// The members of the JSON form, which docs/verify-report.schema.json describes. The file and the line on stdout have the
/// same ones, so that either can be a baseline.
/// </summary>
internal static class VerificationJson
{
    /// <summary>The value of the member <c>type</c>.</summary>
    public const string Type = "verification";

    /// <summary>Writes all members into an open object, in a fixed order.</summary>
    public static void WriteMembers(VerificationReport report, Utf8JsonWriter json)
    {
        VerificationTotals totals = VerificationTotals.Of(report);
        json.WriteString("type", Type);
        json.WriteNumber("schema_version", VerificationReport.SchemaVersion);
        json.WriteString("tool", ToolVersion.Name);
        json.WriteBoolean("passed", report.Passed);
        WriteText("quantized", report.Quantized, json);
        WriteText("source", report.Source, json);
        WriteText("command", report.Command, json);
        WriteFiles("quantized_files", report.QuantizedFiles, json);
        WriteFiles("source_files", report.SourceFiles, json);
        WriteText("kernel_path", report.KernelPath, json);
        WriteText("device_note", report.DeviceNote, json);
        json.WriteNumber("seed", report.Seed);
        WriteText("sample", report.Sample, json);
        json.WriteNumber("layers_in_checkpoint", report.LayersInCheckpoint);
        json.WriteNumber("layers_checked", totals.Checked);
        json.WriteNumber("layers_failed", totals.Failed);
        json.WriteNumber("codes", report.Codes);
        json.WriteNumber("codes_differing", report.CodesDiffering);
        WriteText("worst_layer", totals.Worst?.Name, json);
        json.WriteNumber("plain_tensors", report.PlainTensors);
        json.WriteNumber("plain_differing", report.PlainDiffering);
        WriteMetric("seconds", report.Seconds, json);
        WriteFindings(report.Findings, json);
        json.WriteStartArray("layers");
        foreach (LayerResult layer in report.Layers) WriteLayer(layer, json);
        json.WriteEndArray();
    }

    private static void WriteLayer(LayerResult layer, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        WriteText("name", layer.Name, json);
        json.WriteBoolean("passed", layer.Passed);
        WriteText("quant_type", layer.QuantType, json);
        if (layer.Blocksize is { } blocksize) json.WriteNumber("blocksize", blocksize);
        else json.WriteNull("blocksize");
        json.WriteBoolean("double_quant", layer.DoubleQuant);
        if (layer.Symmetric is { } symmetric) json.WriteBoolean("symmetric", symmetric);
        else json.WriteNull("symmetric");
        json.WriteNumber("rows", layer.Rows);
        json.WriteNumber("columns", layer.Columns);
        WriteFaithfulness(layer.Faithfulness, json);
        WriteWeight(layer.Weight, json);
        WriteGemm(layer.Gemm, json);
        json.WriteStartObject("histograms");
        WriteCounts("code_use", layer.Histograms.CodeUse, json);
        WriteCounts("error_counts", layer.Histograms.ErrorCounts, json);
        json.WriteEndObject();
        WriteFindings(layer.Findings, json);
        json.WriteEndObject();
    }

    private static void WriteFiles(string name, IReadOnlyList<VerifiedFile> files, Utf8JsonWriter json)
    {
        json.WriteStartArray(name);
        foreach (VerifiedFile file in files)
        {
            json.WriteStartObject();
            WriteText("name", file.Name, json);
            json.WriteNumber("bytes", file.Bytes);
            json.WriteString("header_sha256", file.HeaderSha256);
            WriteText("sha256", file.Sha256, json);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteFaithfulness(Faithfulness value, Utf8JsonWriter json)
    {
        json.WriteStartObject("faithfulness");
        json.WriteNumber("codes", value.Codes);
        json.WriteNumber("codes_differing", value.CodesDiffering);
        json.WriteNumber("codes_excused", value.CodesExcused);
        json.WriteNumber("blocks", value.Blocks);
        json.WriteNumber("blocks_differing", value.BlocksDiffering);
        json.WriteNumber("absmax_differing", value.AbsmaxDiffering);
        json.WriteNumber("absmax_excused", value.AbsmaxExcused);
        // A reader of JSON expects no value, not -1, where there is none.
        if (value.FirstDifference < 0) json.WriteNull("first_difference");
        else json.WriteNumber("first_difference", value.FirstDifference);
        WriteText("cause", value.Cause, json);
        json.WriteEndObject();
    }

    private static void WriteWeight(WeightError value, Utf8JsonWriter json)
    {
        json.WriteStartObject("weight");
        WriteMetric("relative_rmse", value.RelativeRmse, json);
        WriteMetric("snr_db", value.SnrDb, json);
        WriteMetric("max_abs", value.MaxAbs, json);
        WriteMetric("cosine", value.Cosine, json);
        WriteMetric("expected", value.Expected, json);
        WriteMetric("limit", value.Limit, json);
        json.WriteEndObject();
    }

    private static void WriteGemm(GemmError? value, Utf8JsonWriter json)
    {
        if (value is null)
        {
            json.WriteNull("gemm");
            return;
        }

        json.WriteStartObject("gemm");
        json.WriteNumber("tokens", value.Tokens);
        WriteText("compute_dtype", value.ComputeDType, json);
        WriteMetric("total_relative_error", value.TotalRelativeError, json);
        WriteMetric("total_snr_db", value.TotalSnrDb, json);
        WriteMetric("kernel_relative_error", value.KernelRelativeError, json);
        WriteMetric("kernel_bound_use", value.KernelBoundUse, json);
        WriteMetric("activation_relative_error", value.ActivationRelativeError, json);
        json.WriteEndObject();
    }

    private static void WriteFindings(IReadOnlyList<Finding> findings, Utf8JsonWriter json)
    {
        json.WriteStartArray("findings");
        foreach (Finding finding in findings)
        {
            json.WriteStartObject();
            WriteText("rule", finding.Rule, json);
            WriteText("text", finding.Text, json);
            json.WriteBoolean("fails", finding.Fails);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>
    /// The shortest digits that read back as the same double. JSON has no other numbers, so the rest are the strings
    /// <c>Infinity</c>, <c>-Infinity</c> and <c>NaN</c>: null would make a perfect layer and a broken one look alike.
    /// </summary>
    private static void WriteMetric(string name, double value, Utf8JsonWriter json)
    {
        if (double.IsFinite(value)) json.WriteNumber(name, value);
        else json.WriteString(name, value.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Unpaired surrogates have no UTF-8 form; the writer would throw on them.</summary>
    private static void WriteText(string name, string? value, Utf8JsonWriter json) =>
        json.WriteString(name, value is null ? null : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(value)));

    /// <summary>On one line also in the indented form, where 56 lines per layer would bury everything else.</summary>
    private static void WriteCounts(string name, IReadOnlyList<long> counts, Utf8JsonWriter json)
    {
        json.WritePropertyName(name);
        json.WriteRawValue($"[{string.Join(',', counts.Select(VerificationText.Invariant))}]");
    }
}
