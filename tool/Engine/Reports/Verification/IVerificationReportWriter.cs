using Bnb.Engine.Verifying;

namespace Bnb.Engine.Reports.Verification;

/// <summary>One file format of the <c>verify</c> report.</summary>
internal interface IVerificationReportWriter
{
    /// <summary>
    /// Writes the whole report as text with line feeds. Files are to be UTF-8 without a byte order mark; a report with NaN,
    /// infinities, no layers or hostile tensor names gives a well-formed file too.
    /// </summary>
    void Write(VerificationReport report, TextWriter output);
}
