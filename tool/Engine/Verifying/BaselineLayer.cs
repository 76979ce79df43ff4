using System.Globalization;
using System.Text.Json;

namespace Bnb.Engine.Verifying;

/// <summary>What a baseline says about one layer, of which only what is compared.</summary>
/// <param name="Gemm">Null when the product was not run then.</param>
internal sealed record BaselineLayer(string Name, long CodesDiffering, long AbsmaxDiffering, double RelativeRmse, BaselineGemm? Gemm)
{
    /// <summary>Reads one element of <c>layers</c>. Members that are not compared may be there or not.</summary>
    /// <exception cref="Errors.UserErrorException">A member is missing or of another kind.</exception>
    public static BaselineLayer Read(JsonElement element, string place, JsonInput input)
    {
        Dictionary<string, JsonElement> layer = input.Members(element, place);
        string stored = JsonInput.Join(place, "faithfulness");
        Dictionary<string, JsonElement> faithfulness = input.Members(Member(layer, "faithfulness", place, input), stored);
        string error = JsonInput.Join(place, "weight");
        Dictionary<string, JsonElement> weight = input.Members(Member(layer, "weight", place, input), error);
        return new BaselineLayer(
            input.Text(Member(layer, "name", place, input), JsonInput.Join(place, "name")),
            Count(faithfulness, "codes_differing", stored, input),
            Count(faithfulness, "absmax_differing", stored, input),
            Metric(weight, "relative_rmse", error, input),
            ReadGemm(Member(layer, "gemm", place, input), JsonInput.Join(place, "gemm"), input));
    }

    private static BaselineGemm? ReadGemm(JsonElement element, string place, JsonInput input)
    {
        if (element.ValueKind == JsonValueKind.Null) return null;
        Dictionary<string, JsonElement> gemm = input.Members(element, place);
        return new BaselineGemm(
            input.Text(Member(gemm, "compute_dtype", place, input), JsonInput.Join(place, "compute_dtype")),
            Metric(gemm, "total_relative_error", place, input),
            Metric(gemm, "kernel_relative_error", place, input));
    }

    private static JsonElement Member(Dictionary<string, JsonElement> members, string name, string place, JsonInput input) =>
        members.TryGetValue(name, out JsonElement value) ? value : throw input.RefuseMember(JsonInput.Join(place, name), "nothing", "a value");

    private static long Count(Dictionary<string, JsonElement> members, string name, string place, JsonInput input)
    {
        JsonElement value = Member(members, name, place, input);
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long count) && count >= 0) return count;
        throw input.RefuseMember(JsonInput.Join(place, name), JsonInput.Found(value), "a whole number, 0 or more");
    }

    private static double Metric(Dictionary<string, JsonElement> members, string name, string place, JsonInput input)
    {
        JsonElement value = Member(members, name, place, input);
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number)) return number;
        if (value.ValueKind == JsonValueKind.String && input.Text(value, place) is "Infinity" or "-Infinity" or "NaN")
            return double.Parse(value.GetString()!, CultureInfo.InvariantCulture);
        throw input.RefuseMember(JsonInput.Join(place, name), JsonInput.Found(value), "a number, \"Infinity\", \"-Infinity\" or \"NaN\"");
    }
}

/// <summary>The product part of a <see cref="BaselineLayer"/>.</summary>
internal sealed record BaselineGemm(string ComputeDType, double TotalRelativeError, double KernelRelativeError);
