using System.Text.Json.Nodes;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>quantize --print-config</c> as one JSON line.</summary>
internal static class RecipeJson
{
    public static string Of(QuantizeRequest request) => JsonLine.Of(json =>
    {
        json.WriteString("type", "config");
        json.WritePropertyName("options");
        new JsonObject(RequestOptions.Of(request)).WriteTo(json);
    });
}
