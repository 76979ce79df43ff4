using System.Globalization;
using System.Text;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Benchmarks;

/// <summary>
/// What each form costs the model of tests/golden/trained: squared error of its weights, and what <c>evaluate</c> says. The first
/// half of its held-out tokens judges, the second half tells which channels matter.
/// </summary>
internal static class TrainedQuality
{
    private const int Rows = 16, Tokens = 256;

    // Its narrowest layers have 192 inputs.
    private const int LargestGroup = 64;

    public static string Table()
    {
        string folder = Directory.CreateTempSubdirectory("bnb-quality-").FullName;
        try
        {
            string judging = Path.Combine(folder, "judging.safetensors"), importance = Path.Combine(folder, "importance.safetensors");
            WriteHalf(judging, 0);
            WriteImportance(importance, folder);
            var text = new StringBuilder();
            text.AppendLine("| form | bits per weight | relative MSE | mean KL divergence | perplexity | same top token |");
            text.AppendLine("|---|---:|---:|---:|---:|---:|");
            int made = 0;
            double? reference = null;
            foreach (QualityForm form in QualityForm.All.Where(form => form.Recipe is not Int4Recipe { GroupSize: > LargestGroup }))
            {
                foreach (string? weighted in form.Recipe.Scale == ScaleRule.Search ? (string?[])[null, importance] : [null])
                {
                    string output = Path.Combine(folder, $"{made++}");
                    QuantizeSummary summary = QuantizeRun.Execute(
                        new QuantizeRequest { SourcePath = Source, OutputPath = output, Recipe = form.Recipe, ImportancePath = weighted },
                        NoEvents.Instance, CancellationToken.None);
                    EvaluationResult result = Evaluate(new EvaluationRequest { QuantizedPath = output, SourcePath = Source, IdsPath = judging });
                    if (reference is null)
                    {
                        reference = result.ReferencePerplexity;
                        text.AppendLine(CultureInfo.InvariantCulture, $"| the model itself, bf16 | 16.000 | 0 | 0 | {reference:F4} | 100 % |");
                    }

                    List<TensorPlan> weights = [.. summary.Plan.Tensors.Where(tensor => tensor.Quantization is not null)];
                    text.AppendLine(CultureInfo.InvariantCulture, $"| {form.Name}{(weighted is null ? "" : ", importance")} | {QualityForm.Bits([.. weights.Select(tensor => tensor.Quantization!)])} | {QualityReport.Error(Relative(weights))} | {result.Divergence.Mean:F6} | {result.QuantizedPerplexity:F4} | {result.Top1 * 100:F2} % |");
                }
            }

            return text.ToString();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Source => Golden.File("trained");

    private static double Relative(IEnumerable<TensorPlan> weights)
    {
        GoldenTensors source = GoldenTensors.Load("trained", "model.safetensors");
        double errors = 0, energies = 0;
        foreach (TensorPlan tensor in weights)
        {
            Quantization form = tensor.Quantization!;
            byte[] stored = source.Bytes(tensor.Name);
            float[] values = new float[form.ValueCount], decoded = new float[form.ValueCount];
            Widen.ToSingle(form.ElementType, stored, values);
            RoundTrip.Of(form, stored, 0, decoded, KernelPaths.Selected);
            (double error, double energy) = QualityReport.Squares(values, decoded);
            errors += error;
            energies += energy;
        }

        return errors / energies;
    }

    private static void WriteImportance(string path, string folder)
    {
        string ids = Path.Combine(folder, "recording.safetensors");
        WriteHalf(ids, 1);
        EvaluationResult result = Evaluate(new EvaluationRequest { QuantizedPath = Source, SourcePath = Source, IdsPath = ids, CollectImportance = true });
        File.WriteAllBytes(path, ImportanceFile.Of(path, result, "the second half"));
    }

    private static EvaluationResult Evaluate(EvaluationRequest request)
    {
        using var run = new EvaluationRun(EvaluationPlan.Make(request));
        return run.Execute(new PipelineProgress(run.WorkBytes), CancellationToken.None);
    }

    private static void WriteHalf(string path, int half)
    {
        byte[] ids = GoldenTensors.Load("trained", "ids.safetensors").Bytes("input_ids");
        int bytes = Rows * Tokens * sizeof(long);
        var tensor = new TensorInfo("input_ids", DType.I64, TensorShape.Of(Rows, Tokens), 0, bytes);
        File.WriteAllBytes(path, [.. SafetensorsHeaderWriter.Write([tensor], null), .. ids.AsSpan(half * bytes, bytes)]);
    }
}
