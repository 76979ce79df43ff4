using System.Globalization;
using System.Xml;
using Bnb.Engine.Text;
using Bnb.Engine.Verifying;
using Bnb.Formats.Primitives;
using static Bnb.Engine.Reports.Verification.JunitXml;
using static Bnb.Engine.Reports.Verification.VerificationText;

namespace Bnb.Engine.Reports.Verification;

/// <summary>
/// The report as JUnit XML, which build servers show as tests: one test case for the checkpoint, then one per layer. The
/// checkpoint's is there when it has nothing to say too, so that a run without findings has as many tests as one with.
/// </summary>
internal sealed class JunitReportWriter : IVerificationReportWriter
{
    private const string Suite = "dotnet bnb verify";
    private const string CheckpointCase = "checkpoint";

    /// <inheritdoc/>
    public void Write(VerificationReport report, TextWriter output)
    {
        VerificationTotals totals = VerificationTotals.Of(report);
        int failures = totals.Failed + (totals.CheckpointFailures > 0 ? 1 : 0);
        JunitXml.Write(Suite, totals.Checked + 1, failures, report.Seconds, WriteCases, output);

        void WriteCases(XmlWriter xml)
        {
            WriteProperties(report, xml);
            WriteCase(xml, CheckpointCase, CheckpointCase, report.Findings, CheckpointNumbers(report, totals));
            foreach (LayerResult layer in report.Layers)
                WriteCase(xml, Module(layer), layer.Name, layer.Findings, LayerNumbers(layer));
        }
    }

    private static void WriteProperties(VerificationReport report, XmlWriter xml)
    {
        xml.WriteStartElement("properties");
        Write("tool", ToolVersion.Name);
        Write("quantized", report.Quantized);
        Write("source", report.Source);
        if (report.Command is not null) Write("command", report.Command);
        Write("kernel_path", report.KernelPath);
        Write("seed", report.Seed.ToString(CultureInfo.InvariantCulture));
        if (report.Sample is not null) Write("sample", report.Sample);
        xml.WriteEndElement();

        void Write(string name, string value)
        {
            xml.WriteStartElement("property");
            xml.WriteAttributeString("name", name);
            xml.WriteAttributeString("value", Legal(DisplayText.Escape(value)));
            xml.WriteEndElement();
        }
    }

    private static void WriteCase(XmlWriter xml, string module, string name, IReadOnlyList<Finding> findings, IEnumerable<string> numbers)
    {
        xml.WriteStartElement("testcase");
        xml.WriteAttributeString("classname", Legal(DisplayText.Escape(module)));
        xml.WriteAttributeString("name", Legal(DisplayText.Escape(name)));
        // Layers are measured side by side, so none has a time of its own; some readers insist on the attribute.
        xml.WriteAttributeString("time", "0");
        List<Finding> failing = [.. findings.Where(static finding => finding.Fails)];
        if (failing.Count > 0)
        {
            xml.WriteStartElement("failure");
            xml.WriteAttributeString("type", Legal(DisplayText.Escape(failing[0].Rule)));
            xml.WriteAttributeString("message", Legal(failing[0].Text));
            xml.WriteString(Lines(failing.Select(Line)));
            xml.WriteEndElement();
        }

        IEnumerable<string> remarks = findings.Where(static finding => !finding.Fails).Select(Line);
        xml.WriteElementString("system-out", Lines(numbers.Concat(remarks)));
        xml.WriteEndElement();
    }

    private static IEnumerable<string> CheckpointNumbers(VerificationReport report, VerificationTotals totals) =>
    [
        Verdict(report, totals),
        $"{Count(report.PlainDiffering)} of {Count(report.PlainTensors)} plain tensors differ",
    ];

    private static IEnumerable<string> LayerNumbers(LayerResult layer)
    {
        Faithfulness stored = layer.Faithfulness;
        yield return $"{Format(layer)}, {Invariant(layer.Rows)} x {Invariant(layer.Columns)}";
        yield return $"codes: {Count(stored.CodesDiffering)} of {Count(stored.Codes)} differ, "
            + $"{Count(stored.CodesExcused)} excused; absmax: {Count(stored.AbsmaxDiffering)} differ, "
            + $"{Count(stored.AbsmaxExcused)} excused{(stored.Cause is null ? "" : "; looks like " + DisplayText.Escape(stored.Cause))}";
        yield return $"weights: relative error {Percent(layer.Weight.RelativeRmse)}, "
            + $"theory {Theory(layer.Weight)}, SNR {Decibels(layer.Weight.SnrDb)} dB, "
            + $"largest {Significant(layer.Weight.MaxAbs)}, cosine {Significant(layer.Weight.Cosine)}";
        if (layer.Gemm is not { } gemm) yield break;
        yield return $"product: {Invariant(gemm.Tokens)} tokens in {DisplayText.Escape(gemm.ComputeDType)}, "
            + $"error {Percent(gemm.TotalRelativeError)}, SNR {Decibels(gemm.TotalSnrDb)} dB; "
            + $"kernel alone {KernelPercent(gemm.KernelRelativeError)}, "
            + $"{Percent(gemm.KernelBoundUse, 0)} of its bound";
    }

    private static string Lines(IEnumerable<string> lines) => Legal(string.Join('\n', lines));
}
