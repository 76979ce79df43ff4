using Bnb.Engine.Inspecting;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>explain</c> as one JSON line.</summary>
internal static class ExplainJson
{
    public static string Of(Explanation explanation) => JsonLine.Of(json =>
    {
        json.WriteString("type", "explanation");
        if (explanation.Component is { } component)
        {
            json.WriteString("component", component);
            json.WriteBoolean("by_default", explanation.IsUsual);
        }

        json.WriteStartArray("known_to");
        foreach (string library in explanation.KnownTo) json.WriteStringValue(library);
        json.WriteEndArray();
        json.WriteStartArray("tensors");
        foreach (TensorDecision decision in explanation.Decisions)
        {
            json.WriteStartObject();
            json.WriteString("name", decision.Tensor.Name);
            json.WriteString("action", decision.Action == TensorAction.Quantize ? "quantize" : "copy");
            json.WriteString("rule", decision.Rule);
            json.WriteString("reason", decision.Reason);
            json.WriteString("judged_by", decision.Known is null ? "name" : "atlas");
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("skip_modules");
        foreach (string entry in explanation.List) json.WriteStringValue(entry);
        json.WriteEndArray();
    });
}
