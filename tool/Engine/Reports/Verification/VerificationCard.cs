using System.Globalization;
using System.Text;
using Bnb.Engine.Text;
using Bnb.Engine.Verifying;
using static Bnb.Engine.Reports.Verification.VerificationText;

namespace Bnb.Engine.Reports.Verification;

/// <summary>A verification as a section of the output's model card: the figures without paths, times and names of machines.</summary>
internal static class VerificationCard
{
    /// <summary>What the section is called.</summary>
    public const string Name = "verify";

    /// <summary>Markdown.</summary>
    public static string Of(VerificationReport report)
    {
        VerificationTotals totals = VerificationTotals.Of(report);
        var text = new StringBuilder("## Verified against the original\n\n| | |\n| --- | --- |\n");
        Row("layers", $"{Coverage(report)} checked, {Count(totals.Failed)} failed");
        Row("codes", Codes(report) + " from what the original's weights make");
        if (totals.Worst is { } worst)
            Row("weight error", $"median {Percent(totals.MedianError)}, worst {Percent(worst.Weight.RelativeRmse)}{(worst.Weight.HasTheory ? $", theory {Percent(worst.Weight.Expected)}" : "")} (relative RMSE)");
        if (totals.WorstProduct?.Gemm is { } product)
            Row("product error", $"worst {Percent(product.TotalRelativeError)}, with {product.Tokens.ToString(CultureInfo.InvariantCulture)} rows of activations in {product.ComputeDType}");
        Row("other tensors", $"{Count(report.PlainDiffering)} of {Count(report.PlainTensors)} differ");
        Row("measured with", $"{ToolVersion.Name}, `dotnet bnb verify`");
        return text.ToString();

        void Row(string label, string value) => text.Append("| ").Append(label).Append(" | ").Append(value).Append(" |\n");
    }
}
