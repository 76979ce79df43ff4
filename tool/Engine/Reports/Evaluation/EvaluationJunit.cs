using System.Xml;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Reports.Verification;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>The evaluation as JUnit XML: one test case, which fails where a limit is exceeded.</summary>
internal static class EvaluationJunit
{
    private const string Suite = "dotnet bnb evaluate";

    public static void Write(EvaluationReport report, TextWriter output) =>
        JunitXml.Write(Suite, tests: 1, report.Passed ? 0 : 1, report.Result.Seconds, xml => WriteCase(report, xml), output);

    private static void WriteCase(EvaluationReport report, XmlWriter xml)
    {
        EvaluationResult result = report.Result;
        xml.WriteStartElement("testcase");
        xml.WriteAttributeString("classname", "evaluate");
        xml.WriteAttributeString("name", JunitXml.Legal(DisplayText.Escape(Path.GetFileName(Path.TrimEndingDirectorySeparator(result.Quantized)))));
        xml.WriteAttributeString("time", JunitXml.Seconds(result.Seconds));
        if (!report.Passed)
        {
            xml.WriteStartElement("failure");
            xml.WriteAttributeString("type", "limit");
            xml.WriteAttributeString("message", JunitXml.Legal(report.Exceeded[0]));
            xml.WriteString(JunitXml.Legal(string.Join('\n', report.Exceeded)));
            xml.WriteEndElement();
        }

        xml.WriteElementString("system-out", JunitXml.Legal(string.Join('\n', EvaluationText.Facts(result).Select(fact => $"{fact.Label}: {fact.Value}"))));
        xml.WriteEndElement();
    }
}
