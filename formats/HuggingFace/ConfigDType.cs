using System.Text;
using System.Text.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.HuggingFace;

/// <summary>Where a config.json names the dtype that weights are loaded in: the model's own, and those of its parts.</summary>
internal static class ConfigDType
{
    /// <summary>The member's name since transformers 4.56; versions before it read the other one alone.</summary>
    public const string New = "dtype";

    /// <summary>The member's name that every version reads.</summary>
    public const string Old = "torch_dtype";

    private const string Prefix = "torch.";

    private static readonly string[] Names = ["bfloat16", "float16", "float32", "float64"];

    /// <summary>The text with another name in the place of each that stands there, as it was with or without <c>torch.</c>.</summary>
    /// <param name="text">The original bytes of an object.</param>
    /// <param name="readable">The same with Python's bare words replaced; same positions.</param>
    /// <param name="name">bfloat16, float16 or float32.</param>
    /// <param name="passedOver">Members that are not looked into.</param>
    public static byte[] Replace(byte[] text, byte[] readable, string name, string[] passedOver)
    {
        List<byte> result = [];
        int copied = 0;
        Utf8JsonReader reader = new(readable, new JsonReaderOptions { MaxDepth = FormatLimits.ConfigDepth });
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName) continue;
            string member = reader.GetString()!;
            reader.Read();
            if (passedOver.Contains(member)) reader.Skip();
            if (member is not (New or Old) || reader.TokenType != JsonTokenType.String) continue;
            string value = reader.GetString()!;
            string prefix = value.StartsWith(Prefix, StringComparison.Ordinal) ? Prefix : "";
            if (!Names.Contains(value[prefix.Length..])) continue;
            result.AddRange(text.AsSpan(copied, (int)reader.TokenStartIndex - copied));
            result.AddRange(Encoding.ASCII.GetBytes($"\"{prefix}{name}\""));
            copied = (int)reader.BytesConsumed;
        }

        result.AddRange(text.AsSpan(copied));
        return [.. result];
    }
}
