using System.Text.Json;
using Bnb.Engine.Inspecting;

namespace Bnb.Engine.Reports;

/// <summary>Whether a model fits a GPU, as the member <c>fit</c> of a line.</summary>
internal static class FitJson
{
    public static void Write(MemoryFit fit, Utf8JsonWriter json)
    {
        json.WriteStartObject("fit");
        json.WriteBoolean("fits", fit.Fits);
        json.WriteNumber("memory_bytes", fit.Available);
        json.WriteNumber("context", fit.Context);
        json.WriteNumber("weight_bytes", fit.WeightBytes);
        Nullable("cache_bytes", fit.CacheBytes);
        json.WriteNumber("allowance_bytes", fit.AllowanceBytes);
        json.WriteNumber("left_bytes", fit.LeftBytes);
        Nullable("most_tokens", fit.MostTokens);
        json.WriteEndObject();

        void Nullable(string name, long? value)
        {
            if (value is { } number) json.WriteNumber(name, number);
            else json.WriteNull(name);
        }
    }
}
