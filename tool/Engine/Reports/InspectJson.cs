using System.Text.Json;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Output;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>inspect</c> as one JSON line.</summary>
internal static class InspectJson
{
    public static string Of(InspectSummary summary, MemoryFit? fit = null) => JsonLine.Of(json =>
    {
        json.WriteString("type", "checkpoint");
        json.WriteString("path", summary.Checkpoint.Folder);
        if (summary.Component is { } component) json.WriteString("component", component);
        json.WriteStartArray("tensors");
        foreach (InspectedTensor tensor in summary.Tensors) WriteTensor(tensor, json);
        json.WriteEndArray();
        json.WriteStartArray("known_to");
        foreach (string library in summary.KnownTo) json.WriteStringValue(library);
        json.WriteEndArray();
        json.WriteNumber("parameters", summary.ParameterCount);
        json.WriteNumber("bytes", summary.TensorBytes);
        json.WriteNumber("bits_per_parameter", Math.Round(summary.BitsPerParameter, 4));
        if (fit is not null) FitJson.Write(fit, json);
        if (summary.Manifest is { } manifest) WriteManifest(manifest, json);
    });

    /// <summary>The sum of a pipeline, after the lines of its components.</summary>
    public static string Of(PipelineSummary summary, MemoryFit? fit) => JsonLine.Of(json =>
    {
        json.WriteString("type", "pipeline");
        json.WriteString("path", summary.Path);
        json.WriteStartArray("components");
        foreach (InspectSummary component in summary.Components)
        {
            json.WriteStartObject();
            json.WriteString("component", component.Component);
            json.WriteNumber("tensors", component.Tensors.Count);
            json.WriteNumber("quantized", component.QuantizedCount);
            json.WriteNumber("parameters", component.ParameterCount);
            json.WriteNumber("bytes", component.TensorBytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("parameters", summary.ParameterCount);
        json.WriteNumber("bytes", summary.TensorBytes);
        json.WriteNumber("bits_per_parameter", Math.Round(summary.BitsPerParameter, 4));
        if (fit is not null) FitJson.Write(fit, json);
    });

    private static void WriteManifest(OutputManifest manifest, Utf8JsonWriter json)
    {
        json.WriteStartObject("manifest");
        json.WriteString("tool", manifest.Tool);
        json.WriteString("command", manifest.Command);
        json.WriteString("plan", manifest.Plan);
        json.WriteBoolean("checksums", manifest.HasChecksums);
        json.WritePropertyName("options");
        manifest.Options.WriteTo(json);
        json.WriteEndObject();
    }

    private static void WriteTensor(InspectedTensor tensor, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", tensor.Name);
        json.WriteString("file", tensor.Tensor.File.Name);
        json.WriteString("dtype", tensor.Tensor.DType.Name());
        WriteShape(json, "shape", tensor.Tensor.Shape.Dimensions);
        json.WriteNumber("bytes", tensor.ByteCount);
        json.WriteNumber("parameters", tensor.ParameterCount);
        if (tensor.Weight is { } weight)
        {
            json.WriteStartObject("quant_state");
            WeightText.WriteMembers(weight, json);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteShape(Utf8JsonWriter json, string name, IReadOnlyList<long> shape)
    {
        json.WriteStartArray(name);
        foreach (long dimension in shape) json.WriteNumberValue(dimension);
        json.WriteEndArray();
    }
}
