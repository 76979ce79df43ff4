using Bnb.Engine.Text;
using Bnb.Engine.Verifying;

namespace Bnb.Engine.Reports.Verification;

/// <summary>What <c>verify --json</c> prints: the members of the JSON report on one line.</summary>
internal static class VerificationReportJsonLine
{
    public static string Of(VerificationReport report) => JsonLine.Of(json => VerificationJson.WriteMembers(report, json));
}
