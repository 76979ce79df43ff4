using System.Text.Json;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.DataTypes;

/// <summary>How reports name the form of a quantized weight.</summary>
internal static class WeightText
{
    /// <summary><c>nf4 b64</c>, <c>int8</c>, <c>int4 g128</c>.</summary>
    public static string Short(QuantizedWeight weight) => weight switch
    {
        BnbWeight blockwise => $"{blockwise.Type} b{blockwise.State.Blocksize}",
        Int4Weight groups => $"{groups.Type} g{groups.GroupSize}",
        _ => weight.Type,
    };

    /// <summary><c>nf4 b64 double</c>, <c>int8</c>, <c>int4 g128 symmetric</c>.</summary>
    public static string Scheme(QuantizedWeight weight) => weight switch
    {
        BnbWeight { IsNested: true } => Short(weight) + " double",
        Int4Weight groups => $"{Short(weight)} {(groups.IsSymmetric ? "symmetric" : "asymmetric")}",
        _ => Short(weight),
    };

    /// <summary>The scheme and the dtype that it was quantized from, where the file says it.</summary>
    public static string Full(QuantizedWeight weight) => weight switch
    {
        BnbWeight blockwise => $"{Scheme(weight)} {DisplayText.Escape(blockwise.State.DType)}",
        Int4Weight groups => $"{Scheme(weight)} {groups.Scale.DType.Name()}",
        _ => Scheme(weight),
    };

    /// <summary>Members that describe the form, for JSON reports.</summary>
    public static void WriteForm(QuantizedWeight weight, Utf8JsonWriter json)
    {
        json.WriteString("quant_type", weight.Type);
        switch (weight)
        {
            case BnbWeight blockwise:
                json.WriteString("dtype", blockwise.State.DType);
                json.WriteNumber("blocksize", blockwise.State.Blocksize);
                json.WriteBoolean("double_quant", blockwise.IsNested);
                if (blockwise.State.IsNestedBFloat16) json.WriteString("nested_dtype", blockwise.State.NestedDType);
                break;
            case Int4Weight groups:
                json.WriteString("dtype", groups.Scale.DType.Name());
                json.WriteNumber("group_size", groups.GroupSize);
                json.WriteBoolean("symmetric", groups.IsSymmetric);
                break;
        }
    }

    /// <summary>The form, the shape of the dense weight, and the offset of double quantization.</summary>
    public static void WriteMembers(QuantizedWeight weight, Utf8JsonWriter json)
    {
        WriteForm(weight, json);
        json.WriteStartArray("shape");
        json.WriteNumberValue(weight.Rows);
        json.WriteNumberValue(weight.Columns);
        json.WriteEndArray();
        if (weight is BnbWeight { State.NestedOffset: { } offset }) json.WriteNumber("nested_offset", offset);
    }
}
