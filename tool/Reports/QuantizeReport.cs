using System.Text.Json;
using Bnb.Formats;
using Bnb.Tool.Commands;
using Bnb.Tool.DataTypes;
using Bnb.Tool.Options;
using Bnb.Tool.Pipeline;
using Bnb.Tool.Terminal;
using Spectre.Console;

namespace Bnb.Tool.Reports;

/// <summary>The result of <c>quantize</c> and of its dry run: per tensor, and in total.</summary>
internal static class QuantizeReport
{
    /// <summary>
    /// A dry run and --verbosity detailed list every tensor; otherwise layers that differ only in their number share a row.
    /// </summary>
    public static void WriteTables(QuantizeSummary summary, ITerminal terminal, Verbosity verbosity) => TableConsole.Print(terminal, console =>
    {
        bool everyTensor = summary.Request.DryRun || verbosity >= Verbosity.Detailed;
        Table table = TableConsole.NewTable(("tensor", false), ("action", false), ("shape", false), ("bytes", true), ("becomes", true));
        var groups = TensorGroups.Fold(
            summary.Plan.Tensors,
            tensor => tensor.Source.Name,
            tensor => (tensor.Source.DType, tensor.Source.Shape, tensor.Decision.Rule, everyTensor ? tensor.Source.Name : ""));
        Dictionary<string, long> outputBytes = summary.OutputBytesByTensor();
        foreach ((string name, IReadOnlyList<TensorPlan> members) in groups)
        {
            TensorPlan first = members[0];
            table.AddRow(
                new Text(DisplayText.Escape(name)),
                new Text(Action(first, summary.Plan.Recipe)),
                new Text($"{first.Source.DType.Name()} {first.Source.Shape}"),
                new Text(TableConsole.Number(members.Sum(member => member.Source.ByteCount))),
                new Text(TableConsole.Number(members.Sum(member => outputBytes[member.Source.Name]))));
        }

        console.Write(table);
        WriteTotals(summary, console);
    });

    /// <summary>One JSON line: options, every tensor, every file, totals.</summary>
    public static string Json(QuantizeSummary summary) => JsonLine.Of(json =>
    {
        json.WriteString("type", summary.Request.DryRun ? "plan" : "quantized");
        json.WriteString("tool", ToolVersion.Name);
        json.WriteString("source", summary.Plan.Source.Folder);
        json.WriteString("output", summary.Request.OutputPath);
        WriteRecipe(summary.Plan.Recipe, json);
        json.WriteString("kernels", summary.Engine.Name);
        json.WriteString("device_note", summary.Engine.Note);
        WriteTensors(summary, json);
        json.WriteStartArray("skip_modules");
        foreach (string module in summary.Plan.Policy.SkipModules) json.WriteStringValue(module);
        json.WriteEndArray();
        json.WriteStartArray("files");
        for (int i = 0; i < summary.Shards.Count; i++)
        {
            json.WriteStartObject();
            json.WriteString("name", summary.Plan.Shards[i].FileName);
            json.WriteNumber("bytes", summary.Shards[i].FileLength);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("parameters", summary.Plan.ParameterCount);
        json.WriteNumber("quantized_parameters", summary.Plan.QuantizedParameterCount);
        json.WriteNumber("bytes_before", summary.Plan.SourceFileBytes);
        json.WriteNumber("bytes_after", summary.OutputFileBytes);
        json.WriteNumber("bits_per_parameter", Math.Round(summary.BitsPerParameter, 4));
        json.WriteNumber("seconds", Math.Round(summary.Elapsed.TotalSeconds, 3));
    });

    private static void WriteRecipe(QuantizeRecipe recipe, Utf8JsonWriter json)
    {
        json.WriteString("quant_type", recipe.Type);
        switch (recipe)
        {
            case Blockwise4Recipe blockwise:
                json.WriteNumber("blocksize", blockwise.Blocksize);
                json.WriteBoolean("double_quant", blockwise.DoubleQuant);
                break;
            case Int8Recipe rows:
                json.WriteNumber("int8_threshold", rows.Threshold);
                break;
            case Int4Recipe groups:
                json.WriteNumber("group_size", groups.GroupSize);
                json.WriteBoolean("symmetric", groups.Symmetric);
                break;
        }
    }

    private static void WriteTensors(QuantizeSummary summary, Utf8JsonWriter json)
    {
        Dictionary<string, long> outputBytes = summary.OutputBytesByTensor();
        json.WriteStartArray("tensors");
        foreach (TensorPlan tensor in summary.Plan.Tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Source.Name);
            json.WriteString("action", tensor.Quantization is null ? "copied" : "quantized");
            json.WriteString("rule", tensor.Decision.Rule);
            json.WriteString("dtype", tensor.Source.DType.Name());
            json.WriteStartArray("shape");
            foreach (long dimension in tensor.Source.Shape.Dimensions) json.WriteNumberValue(dimension);
            json.WriteEndArray();
            json.WriteNumber("bytes_before", tensor.Source.ByteCount);
            json.WriteNumber("bytes_after", outputBytes[tensor.Source.Name]);
            if (tensor.Decision.Unaligned) json.WriteBoolean("unaligned", true);
            if (tensor.Decision.Transpose) json.WriteBoolean("transposed", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteTotals(QuantizeSummary summary, IAnsiConsole console)
    {
        QuantizePlan plan = summary.Plan;
        int quantized = plan.Tensors.Count(tensor => tensor.Quantization is not null);
        (string, string)[] device = summary.Engine.Note is { } note ? [("device", DisplayText.Escape(note))] : [];
        TableConsole.WriteFacts(
            console,
            [("tensors", $"{quantized} quantized, {plan.Tensors.Count - quantized} copied"),
            ("parameters", $"{TableConsole.Number(plan.ParameterCount)}, {Percent(plan.QuantizedParameterCount, plan.ParameterCount)} quantized"),
            ("bits per parameter", TableConsole.Number(summary.BitsPerParameter, 3)),
            ("weight files before", $"{TableConsole.Number(plan.SourceFileBytes)} bytes in {plan.Source.Files.Count}"),
            ("weight files after", $"{TableConsole.Number(summary.OutputFileBytes)} bytes in {plan.Shards.Count}, {Percent(summary.OutputFileBytes, plan.SourceFileBytes)} of before"),
            (plan.Recipe is Int4Recipe ? "ignore" : "skip modules", string.Join(", ", plan.Policy.SkipModules)),
            ("time", $"{TableConsole.Number(summary.Elapsed.TotalSeconds, 2)} s, {ByteSize.Format((long)(plan.SourceTensorBytes / summary.Elapsed.TotalSeconds))}/s"),
            .. device,
            ("written to", summary.Request.DryRun ? "nothing, this was a dry run" : summary.Request.OutputPath!)]);
    }

    private static string Action(TensorPlan tensor, QuantizeRecipe recipe)
    {
        if (tensor.Quantization is not { } quantization) return $"copied ({tensor.Decision.Rule})";
        string flags = (tensor.Decision.Unaligned ? ", unaligned" : "") + (quantization.Transpose ? ", transposed" : "");
        return recipe.Type + flags;
    }

    private static string Percent(long part, long whole) => whole == 0 ? "0 %" : TableConsole.Number(100.0 * part / whole, 1) + " %";
}
