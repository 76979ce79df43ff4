using System.Globalization;
using System.Text;
using System.Xml;

namespace Bnb.Engine.Reports.Verification;

/// <summary>JUnit XML, as far as reports share it: a document with one suite and its totals, and text that XML can hold.</summary>
internal static class JunitXml
{
    /// <summary>Writes a document with one suite.</summary>
    /// <param name="suite">The suite's name.</param>
    /// <param name="tests">How many cases <paramref name="writeCases"/> writes.</param>
    /// <param name="failures">How many of them fail.</param>
    /// <param name="writeCases">Writes what is in the suite.</param>
    public static void Write(string suite, long tests, long failures, double seconds, Action<XmlWriter> writeCases, TextWriter output)
    {
        // XmlWriter would declare the encoding of the TextWriter, which is UTF-16 for one in memory.
        output.Write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        using var xml = XmlWriter.Create(output, new XmlWriterSettings
        {
            OmitXmlDeclaration = true,
            Indent = true,
            NewLineChars = "\n",
            NewLineHandling = NewLineHandling.None,
            CloseOutput = false,
        });
        xml.WriteStartElement("testsuites");
        WriteTotals();
        xml.WriteStartElement("testsuite");
        WriteTotals();
        writeCases(xml);
        xml.WriteEndElement();
        xml.WriteEndElement();
        xml.Flush();
        output.Write('\n');

        void WriteTotals()
        {
            xml.WriteAttributeString("name", suite);
            xml.WriteAttributeString("tests", VerificationText.Invariant(tests));
            xml.WriteAttributeString("failures", VerificationText.Invariant(failures));
            xml.WriteAttributeString("errors", "0");
            xml.WriteAttributeString("skipped", "0");
            xml.WriteAttributeString("time", Seconds(seconds));
        }
    }

    /// <summary>Seconds as the attribute <c>time</c> has them.</summary>
    public static string Seconds(double seconds) => double.IsFinite(seconds) ? seconds.ToString("F3", CultureInfo.InvariantCulture) : "0";

    /// <summary>XML 1.0 has no form at all, not even an escaped one, for most control characters, U+FFFE and lone surrogates.</summary>
    public static string Legal(string text)
    {
        StringBuilder legal = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1])) legal.Append(text[i]).Append(text[++i]);
            else if (XmlConvert.IsXmlChar(text[i])) legal.Append(text[i]);
            else legal.Append(CultureInfo.InvariantCulture, $"\\u{(int)text[i]:x4}");
        }

        return legal.ToString();
    }
}
