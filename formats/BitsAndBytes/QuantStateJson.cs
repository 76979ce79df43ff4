using System.Text.Json;
using System.Text.Unicode;
using Bnb.Formats.IO;
using Bnb.Formats.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.BitsAndBytes;

/// <summary>Reads the JSON of a <see cref="BnbQuantState"/>.</summary>
internal static class QuantStateJson
{
    private static readonly string[] Members =
        ["quant_type", "blocksize", "dtype", "shape", "nested_blocksize", "nested_dtype", "nested_offset"];

    public static BnbQuantState Parse(ReadOnlySpan<byte> utf8, string file, string tensor)
    {
        if (utf8.Length > FormatLimits.QuantStateBytes) throw Error(file, tensor, "is too long", DisplayText.Bytes(utf8.Length));
        if (!Utf8.IsValid(utf8)) throw Error(file, tensor, "is not UTF-8", DisplayText.Escape(utf8, 60));
        try
        {
            JsonDocumentOptions options = new() { MaxDepth = 4, AllowDuplicateProperties = false };
            using JsonDocument document = JsonDocument.Parse(utf8.ToArray(), options);
            return Read(document.RootElement, file, tensor);
        }
        catch (JsonException error)
        {
            string reason = DisplayText.Escape(JsonPosition.Reason(error));
            throw Error(file, tensor, "is not valid JSON", $"{JsonPosition.Text(error)}: {reason}");
        }
        catch (InvalidOperationException)
        {
            throw Error(file, tensor, "has text with an unpaired surrogate escape", DisplayText.Escape(utf8, 60));
        }
    }

    private static BnbQuantState Read(JsonElement root, string file, string tensor)
    {
        if (root.ValueKind != JsonValueKind.Object) throw Error(file, tensor, "is not an object", root.ValueKind.ToString());
        foreach (JsonProperty member in root.EnumerateObject())
        {
            if (!Members.Contains(member.Name))
                throw Error(file, tensor, "has a member bitsandbytes refuses", DisplayText.Escape(member.Name));
        }

        string quantType = Text(root, "quant_type", file, tensor);
        if (quantType is not ("nf4" or "fp4"))
            throw Error(file, tensor, "has an unknown quant_type", DisplayText.Escape(quantType));
        string dtype = Text(root, "dtype", file, tensor);
        if (!root.TryGetProperty("blocksize", out JsonElement size) || size.ValueKind != JsonValueKind.Number
            || !size.TryGetInt32(out int blocksize) || blocksize <= 0)
            throw Error(file, tensor, "has no usable blocksize", Found(size));
        float? offset = NestedOffset(root, file, tensor);
        var state = new BnbQuantState(quantType, blocksize, dtype, Shape(root, file, tensor), offset);
        return offset is null ? state : state with { NestedDType = root.GetProperty("nested_dtype").GetString()! };
    }

    private static long[] Shape(JsonElement root, string file, string tensor)
    {
        if (!root.TryGetProperty("shape", out JsonElement shape) || shape.ValueKind != JsonValueKind.Array)
            throw Error(file, tensor, "has no shape", Found(shape));
        List<long> dimensions = [];
        foreach (JsonElement item in shape.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long dimension) || dimension < 0
                || dimensions.Count == FormatLimits.Rank) throw Error(file, tensor, "has a bad dimension", Found(item));
            dimensions.Add(dimension);
        }

        return [.. dimensions];
    }

    private static float? NestedOffset(JsonElement root, string file, string tensor)
    {
        bool hasSize = root.TryGetProperty("nested_blocksize", out JsonElement size);
        bool hasType = root.TryGetProperty("nested_dtype", out JsonElement type);
        bool hasOffset = root.TryGetProperty("nested_offset", out JsonElement offset);
        if (!hasSize && !hasType && !hasOffset) return null;
        if (!hasSize || !hasType || !hasOffset) throw Error(file, tensor, "has only some of the nested members", "");
        if (size.ValueKind != JsonValueKind.Number || !size.TryGetInt32(out int nested)
            || nested != BnbQuantState.NestedBlocksize)
            throw Error(file, tensor, "has a nested_blocksize other than 256", Found(size));
        if (type.ValueKind != JsonValueKind.String || type.GetString() is not ("float32" or "bfloat16"))
            throw Error(file, tensor, "has a nested_dtype other than float32 and bfloat16", Found(type));
        // Python would also take NaN and Infinity here; every weight of such a tensor would be lost, so they are refused.
        if (offset.ValueKind == JsonValueKind.Number && float.IsFinite((float)offset.GetDouble()))
            return (float)offset.GetDouble();
        throw Error(file, tensor, "has no finite nested_offset", Found(offset));
    }

    private static string Text(JsonElement root, string member, string file, string tensor) =>
        root.TryGetProperty(member, out JsonElement value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw Error(file, tensor, $"has no {member}", Found(value));

    private static string Found(JsonElement value) =>
        value.ValueKind == JsonValueKind.Undefined ? "nothing" : DisplayText.Escape(value.GetRawText());

    private static CheckpointFormatException Error(string file, string tensor, string what, string found) => new(
        FormatError.QuantState,
        $"{FileProbe.ShortName(file)}: quant state {DisplayText.Escape(tensor)} {what}",
        file,
        tensor,
        found.Length > 0 ? [("found", found)] : []);
}
