using System.Text.Json;
using Bnb.Formats;
using Bnb.Tool.DataTypes;
using Bnb.Tool.Options;
using Bnb.Tool.Terminal;
using Spectre.Console;

namespace Bnb.Tool.Reports;

/// <summary>The result of <c>inspect</c> as a table or as one JSON line.</summary>
internal static class InspectReport
{
    public static void WriteTables(InspectSummary summary, ITerminal terminal, Verbosity verbosity) => TableConsole.Print(terminal, console =>
    {
        bool everyTensor = verbosity >= Verbosity.Detailed;
        Table table = TableConsole.NewTable(("tensor", false), ("format", false), ("shape", false), ("count", true), ("bytes", true));
        var groups = TensorGroups.Fold(
            summary.Tensors,
            tensor => tensor.Name,
            tensor => (tensor.Format, tensor.Shape, everyTensor ? tensor.Name : ""));
        foreach ((string name, IReadOnlyList<InspectedTensor> members) in groups)
        {
            table.AddRow(
                new Text(DisplayText.Escape(name)),
                new Text(members[0].Format),
                new Text(members[0].Shape),
                new Text(TableConsole.Number(members.Count)),
                new Text(TableConsole.Number(members.Sum(member => member.ByteCount))));
        }

        console.Write(table);
        int quantized = summary.Tensors.Count(tensor => tensor.Weight is not null);
        TableConsole.WriteFacts(
            console,
            ("tensors", $"{TableConsole.Number(summary.Tensors.Count)}, of which {TableConsole.Number(quantized)} quantized"),
            ("parameters", TableConsole.Number(summary.ParameterCount)),
            ("bits per parameter", TableConsole.Number(summary.BitsPerParameter, 3)),
            ("tensor bytes", TableConsole.Number(summary.TensorBytes)),
            ("files", string.Join(", ", summary.Checkpoint.Files.Select(file => $"{file.Name} ({TableConsole.Number(file.Identity.Length)} bytes)"))));
    });

    public static string Json(InspectSummary summary) => JsonLine.Of(json =>
    {
        json.WriteString("type", "checkpoint");
        json.WriteString("path", summary.Checkpoint.Folder);
        json.WriteStartArray("tensors");
        foreach (InspectedTensor tensor in summary.Tensors) WriteTensor(tensor, json);
        json.WriteEndArray();
        json.WriteNumber("parameters", summary.ParameterCount);
        json.WriteNumber("bytes", summary.TensorBytes);
        json.WriteNumber("bits_per_parameter", Math.Round(summary.BitsPerParameter, 4));
    });

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
