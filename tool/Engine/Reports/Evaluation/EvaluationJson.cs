using System.Text.Json;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Evaluating.Measures;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>What <c>evaluate --json</c> prints, on one line.</summary>
internal static class EvaluationJson
{
    public static string Of(EvaluationReport report) => JsonLine.Of(json => WriteMembers(report, json));

    private static void WriteMembers(EvaluationReport report, Utf8JsonWriter json)
    {
        EvaluationResult result = report.Result;
        json.WriteString("type", "evaluation");
        json.WriteString("quantized_path", result.Quantized);
        json.WriteString("source_path", result.Source);
        json.WriteString("model_type", result.ModelType);
        json.WriteString("kernel_path", result.KernelPath);
        json.WriteNumber("tokens", result.Tokens);
        json.WriteNumber("contexts", result.Contexts);
        WritePerplexity("reference", result.ReferencePerplexity);
        WritePerplexity("quantized", result.QuantizedPerplexity);
        Number(json, "perplexity_ratio", result.PerplexityRatio);
        WriteDivergence(result.Divergence, json);
        Number(json, "top1", result.Top1);
        Number(json, "top5", result.Top5);
        Number(json, "probability_rms", result.ProbabilityRms);
        Number(json, "probability_mean", result.ProbabilityMean);
        WriteStates(result, json);
        json.WriteBoolean("passed", report.Passed);
        json.WriteStartArray("exceeded");
        foreach (string text in report.Exceeded) json.WriteStringValue(text);
        json.WriteEndArray();
        json.WriteNumber("seconds", Math.Round(result.Seconds, 3));

        void WritePerplexity(string side, double perplexity)
        {
            json.WriteStartObject(side);
            Number(json, "perplexity", perplexity);
            json.WriteEndObject();
        }
    }

    private static void WriteDivergence(Distribution kl, Utf8JsonWriter json)
    {
        json.WriteStartObject("kl");
        Number(json, "mean", kl.Mean);
        Number(json, "standard_error", kl.StandardError);
        Number(json, "median", kl.Median);
        Number(json, "p90", kl.P90);
        Number(json, "p95", kl.P95);
        Number(json, "p99", kl.P99);
        Number(json, "p99_9", kl.P999);
        Number(json, "max", kl.Maximum);
        json.WriteEndObject();
    }

    private static void WriteStates(EvaluationResult result, Utf8JsonWriter json)
    {
        json.WriteStartArray("layers");
        foreach ((StateComparison state, double share) in result.States.Zip(result.Shares))
        {
            json.WriteStartObject();
            json.WriteNumber("layer", state.State);
            Number(json, "cosine", state.Cosine);
            Number(json, "relative_error", state.RelativeError);
            Number(json, "share", share);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>JSON has no infinities: null stands for what is no number.</summary>
    private static void Number(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value)) json.WriteNumber(name, value);
        else json.WriteNull(name);
    }
}
