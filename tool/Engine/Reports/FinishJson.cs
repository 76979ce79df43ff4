using Bnb.Engine.Finishing;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>finish</c> as one JSON line.</summary>
internal static class FinishJson
{
    public static string Of(FinishSummary summary) => JsonLine.Of(json =>
    {
        json.WriteString("type", "finished");
        json.WriteString("output", summary.Output);
        json.WriteBoolean("nothing_to_do", summary.NothingToDo);
        json.WriteString("plan", summary.Plan?.Hash);
    });
}
