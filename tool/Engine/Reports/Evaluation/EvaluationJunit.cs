using System.Globalization;
using System.Xml;
using Bnb.Engine.Evaluating;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>The evaluation as JUnit XML: one test case, which fails where a limit is exceeded.</summary>
internal static class EvaluationJunit
{
    private const string Suite = "dotnet bnb evaluate";

    public static void Write(EvaluationReport report, TextWriter output)
    {
        EvaluationResult result = report.Result;
        // XmlWriter would declare the encoding of the TextWriter, which is UTF-16 for one in memory.
        output.Write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        var settings = new XmlWriterSettings { OmitXmlDeclaration = true, Indent = true, NewLineChars = "\n", NewLineHandling = NewLineHandling.None, CloseOutput = false };
        using var xml = XmlWriter.Create(output, settings);
        xml.WriteStartElement("testsuites");
        xml.WriteStartElement("testsuite");
        xml.WriteAttributeString("name", Suite);
        xml.WriteAttributeString("tests", "1");
        xml.WriteAttributeString("failures", report.Passed ? "0" : "1");
        xml.WriteAttributeString("errors", "0");
        xml.WriteAttributeString("skipped", "0");
        xml.WriteAttributeString("time", result.Seconds.ToString("F3", CultureInfo.InvariantCulture));
        xml.WriteStartElement("testcase");
        xml.WriteAttributeString("classname", "evaluate");
        xml.WriteAttributeString("name", DisplayText.Escape(Path.GetFileName(Path.TrimEndingDirectorySeparator(result.Quantized))));
        xml.WriteAttributeString("time", result.Seconds.ToString("F3", CultureInfo.InvariantCulture));
        if (!report.Passed)
        {
            xml.WriteStartElement("failure");
            xml.WriteAttributeString("type", "limit");
            xml.WriteAttributeString("message", report.Exceeded[0]);
            xml.WriteString(string.Join('\n', report.Exceeded));
            xml.WriteEndElement();
        }

        xml.WriteElementString("system-out", string.Join('\n', EvaluationText.Facts(result).Select(fact => $"{fact.Label}: {fact.Value}")));
        xml.WriteEndElement();
        xml.WriteEndElement();
        xml.WriteEndElement();
        xml.Flush();
        output.Write('\n');
    }
}
