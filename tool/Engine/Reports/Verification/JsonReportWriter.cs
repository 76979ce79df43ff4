using System.Text;
using Bnb.Engine.Text;
using Bnb.Engine.Verifying;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The report as indented JSON: everything that was measured, for other programs and as a later run's baseline.</summary>
internal sealed class JsonReportWriter : IVerificationReportWriter
{
    /// <inheritdoc/>
    public void Write(VerificationReport report, TextWriter output) =>
        output.Write(Encoding.UTF8.GetString(JsonLine.Indented(json => VerificationJson.WriteMembers(report, json))));
}
