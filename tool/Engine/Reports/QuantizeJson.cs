using System.Text.Json;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>quantize</c>, or of its dry run, as one JSON line.</summary>
internal static class QuantizeJson
{
    public static string Of(QuantizeSummary summary, MemoryFit? fit = null) => JsonLine.Of(json =>
    {
        json.WriteString("type", summary.Request.DryRun ? "plan" : "quantized");
        json.WriteString("tool", ToolVersion.Name);
        json.WriteString("source", summary.Plan.Source.Folder);
        json.WriteString("output", summary.Request.OutputPath);
        if (summary.Plan.Component is { } component) json.WriteString("component", component);
        WriteRecipe(summary.Plan.Recipe, json);
        json.WriteString("kernels", summary.Engine?.Name);
        json.WriteString("device_note", summary.Engine?.Note);
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
        if (!summary.Request.DryRun)
        {
            json.WriteNumber("files_reused", summary.Result.Reused);
            json.WriteBoolean("committed", summary.Result.State != OutputState.ShareDone);
            json.WriteBoolean("nothing_to_do", summary.Result.State == OutputState.NothingToDo);
            json.WriteString("worker", summary.Request.Share?.ToString());
            json.WriteBoolean("checksums", summary.Result.HasChecksums);
        }

        json.WriteNumber("parameters", summary.Plan.ParameterCount);
        json.WriteNumber("quantized_parameters", summary.Plan.QuantizedParameterCount);
        json.WriteNumber("bytes_before", summary.Plan.SourceFileBytes);
        json.WriteNumber("bytes_after", summary.OutputFileBytes);
        json.WriteNumber("bits_per_parameter", Math.Round(summary.BitsPerParameter, 4));
        if (fit is not null) FitJson.Write(fit, json);
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
        IReadOnlyDictionary<TensorPlan, long> outputBytes = summary.OutputBytesByTensor();
        json.WriteStartArray("tensors");
        foreach (TensorPlan tensor in summary.Plan.Tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteString("action", tensor.Quantization is null ? "copied" : "quantized");
            json.WriteString("rule", tensor.Decision.Rule);
            json.WriteString("dtype", tensor.DType.Name());
            json.WriteStartArray("shape");
            foreach (long dimension in tensor.Shape.Dimensions) json.WriteNumberValue(dimension);
            json.WriteEndArray();
            json.WriteNumber("bytes_before", tensor.SourceBytes);
            json.WriteNumber("bytes_after", outputBytes[tensor]);
            if (tensor.Decision.Unaligned) json.WriteBoolean("unaligned", true);
            if (tensor.Decision.Transpose) json.WriteBoolean("transposed", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
