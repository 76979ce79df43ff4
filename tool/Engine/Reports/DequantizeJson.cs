using Bnb.Engine.Dequantizing;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>dequantize</c> as one JSON line.</summary>
internal static class DequantizeJson
{
    public static string Of(DequantizeSummary summary) => JsonLine.Of(json =>
    {
        json.WriteString("type", "dequantized");
        json.WriteString("source", summary.Plan.Source.Folder);
        json.WriteString("output", summary.Output);
        if (summary.Plan.Component is { } component) json.WriteString("component", component);
        json.WriteString("kernels", summary.Engine?.Name);
        json.WriteString("device_note", summary.Engine?.Note);
        json.WriteStartArray("tensors");
        foreach (OutputTensor output in summary.Plan.Shards.SelectMany(shard => shard.Outputs))
        {
            json.WriteStartObject();
            json.WriteString("name", output.Info.Name);
            json.WriteString("action", output.Role == OutputRole.Dense ? "dequantized" : "copied");
            json.WriteString("dtype", output.Info.DType.Name());
            json.WriteStartArray("shape");
            foreach (long dimension in output.Info.Shape.Dimensions) json.WriteNumberValue(dimension);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("left_out");
        foreach (string name in summary.Plan.LeftOut) json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteNumber("files_reused", summary.Result.Reused);
        json.WriteBoolean("nothing_to_do", summary.Result.State == OutputState.NothingToDo);
        json.WriteBoolean("checksums", summary.Result.HasChecksums);
        json.WriteNumber("bytes_before", summary.Plan.SourceFileBytes);
        json.WriteNumber("bytes_after", summary.OutputFileBytes);
        json.WriteNumber("seconds", Math.Round(summary.Elapsed.TotalSeconds, 3));
    });
}
