using System.Text.Json;
using Bnb.Engine.Comparing;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>diff</c> as one JSON line.</summary>
internal static class DiffJson
{
    public static string Of(DiffSummary summary) => JsonLine.Of(json =>
    {
        json.WriteString("type", "diff");
        json.WriteString("a", summary.Request.PathA);
        json.WriteString("b", summary.Request.PathB);
        json.WriteBoolean("equal", summary.IsEqual);
        json.WriteNumber("tensors", summary.Weights.Count);
        json.WriteNumber("tensors_equal", summary.Weights.Count - summary.Differing.Count);
        json.WriteStartArray("differing");
        foreach (WeightDiff weight in summary.Differing) WriteWeight(weight, json);
        json.WriteEndArray();
        if (summary.Request.All) WriteNames("equal_tensors", summary.Weights.Where(weight => weight.Status == DiffStatus.Equal).Select(weight => weight.Name), json);
        WriteText("config", summary.Config, json);
        WriteText("metadata", summary.Metadata, json);
        json.WriteNumber("seconds", Math.Round(summary.Elapsed.TotalSeconds, 3));
    });

    private static void WriteWeight(WeightDiff weight, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", weight.Name);
        json.WriteString("status", weight.Status switch
        {
            DiffStatus.Added => "added",
            DiffStatus.Removed => "removed",
            _ => "changed",
        });
        if (weight.A is { } a) WriteSide("a", a, json);
        if (weight.B is { } b) WriteSide("b", b, json);
        if (weight.Status == DiffStatus.Changed) WriteChanges(weight, json);
        json.WriteEndObject();
    }

    private static void WriteChanges(WeightDiff weight, Utf8JsonWriter json)
    {
        json.WriteStartArray("changes");
        foreach (FormChange change in weight.Changes)
        {
            json.WriteStartObject();
            json.WriteString("what", change.What);
            json.WriteString("a", change.A);
            json.WriteString("b", change.B);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        // Null: stored in different forms, so bytes say nothing.
        if (weight.BytesEqual is { } bytesEqual) json.WriteBoolean("bytes_equal", bytesEqual);
        else json.WriteNull("bytes_equal");
        if (weight.Parts is not null) WriteNames("parts_differing", weight.Parts, json);
        if (weight.Codes is { } codes)
        {
            json.WriteStartObject("codes");
            json.WriteNumber("count", codes.Count);
            json.WriteNumber("changed", codes.Changed);
            json.WriteNumber("share", codes.Count == 0 ? 0 : (double)codes.Changed / codes.Count);
            WriteIndex("first", codes.First, json);
            json.WriteEndObject();
        }

        if (weight.Absmax is { } absmax)
        {
            json.WriteStartObject("absmax");
            json.WriteNumber("blocks", absmax.Blocks);
            json.WriteNumber("changed", absmax.Changed);
            WriteIndex("first_block", absmax.First, json);
            json.WriteNumber("max_relative", absmax.MaxRelative);
            json.WriteNumber("mean_relative", absmax.MeanRelative);
            json.WriteEndObject();
        }

        if (weight.Values is { } values) WriteValues(values, json);
    }

    private static void WriteValues(ValueDrift values, Utf8JsonWriter json)
    {
        json.WriteStartObject("values");
        json.WriteNumber("count", values.Count);
        json.WriteNumber("differing", values.Differing);
        WriteIndex("first", values.First, json);
        if (values.Error is { } error)
        {
            json.WriteNumber("non_finite", error.NonFinite);
            json.WriteNumber("max_abs", error.MaxAbs);
            json.WriteNumber("rmse", error.Rmse);
            if (error.RelativeRmse is { } relative) json.WriteNumber("relative_rmse", relative);
            else json.WriteNull("relative_rmse");
        }

        json.WriteEndObject();
    }

    private static void WriteSide(string name, DiffWeight weight, Utf8JsonWriter json)
    {
        json.WriteStartObject(name);
        if (weight.Packed is { } packed) WeightText.WriteForm(packed, json);
        else json.WriteString("dtype", weight.Stored.DType.Name());
        json.WriteStartArray("shape");
        foreach (long dimension in weight.Shape) json.WriteNumberValue(dimension);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteText(string name, TextDiff diff, Utf8JsonWriter json)
    {
        json.WriteStartObject(name);
        WriteNames("changed", diff.Changed, json);
        WriteNames("added", diff.Added, json);
        WriteNames("removed", diff.Removed, json);
        json.WriteEndObject();
    }

    private static void WriteNames(string name, IEnumerable<string> names, Utf8JsonWriter json)
    {
        json.WriteStartArray(name);
        foreach (string item in names) json.WriteStringValue(item);
        json.WriteEndArray();
    }

    private static void WriteIndex(string name, long index, Utf8JsonWriter json)
    {
        if (index >= 0) json.WriteNumber(name, index);
        else json.WriteNull(name);
    }
}
