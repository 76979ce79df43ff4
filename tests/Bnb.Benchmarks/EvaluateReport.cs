using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Events;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Sampling;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;

namespace Bnb.Benchmarks;

/// <summary>
/// <c>evaluate</c> on a made-up model of half a billion parameters beside the matrix product alone: what share of the product's
/// rate the whole pass reaches, reading, decoding, attention and measures included.
/// </summary>
internal static class EvaluateReport
{
    private const int Layers = 24, Hidden = 1024, Vocabulary = 131072, Context = 512;

    public static int Run(string[] arguments)
    {
        int tokens = arguments is [var count, ..] ? int.Parse(count, CultureInfo.InvariantCulture) : 2048;
        string folder = Directory.CreateTempSubdirectory("bnb-evaluate-").FullName;
        try
        {
            string source = Path.Combine(folder, "source"), quantized = Path.Combine(folder, "nf4"), ids = Path.Combine(folder, "ids.safetensors");
            var sample = new SampleCheckpoint(Layers, Hidden, Vocabulary);
            sample.Write(source);
            WriteIds(ids, tokens);
            QuantizeRun.Execute(new QuantizeRequest { SourcePath = source, OutputPath = quantized }, NoEvents.Instance, CancellationToken.None);
            var text = new StringBuilder(Machine.Header("Evaluation"));
            Measure(new EvaluationRequest { QuantizedPath = quantized, SourcePath = source, IdsPath = ids }, sample.ByteCount / 2, tokens, text);
            Machine.Save("evaluate.md", text.ToString());
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Measure(EvaluationRequest request, long parameters, int tokens, StringBuilder text)
    {
        using var run = new EvaluationRun(EvaluationPlan.Make(request));
        double before = ProductRate(tokens);
        long start = Stopwatch.GetTimestamp();
        EvaluationResult result = run.Execute(new PipelineProgress(run.WorkBytes), CancellationToken.None);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds, rate = (before + ProductRate(tokens)) / 2;
        // Two models; every parameter but the embedding's is multiplied once with every token.
        double products = 2.0 * 2 * tokens * (parameters - ((long)Vocabulary * Hidden)) / seconds / 1e9;
        text.AppendLine(CultureInfo.InvariantCulture, $"A made-up Llama of {parameters / 1e6:F0} M parameters in bf16 against itself in nf4, {tokens} tokens in contexts of {Context}, {request.Threads} threads. sgemm: the product of the same shape as the largest layer, before and after.");
        text.AppendLine();
        text.AppendLine("| seconds | GFLOP/s of products | sgemm GFLOP/s | share | memory as announced |");
        text.AppendLine("|---:|---:|---:|---:|---:|");
        text.AppendLine(CultureInfo.InvariantCulture, $"| {seconds:F1} | {products:F0} | {rate:F0} | {products / rate:P0} | {run.MemoryBytes / (1 << 20)} MiB |");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"Mean KL divergence {result.Divergence.Mean:G4}: the weights are noise, so this says nothing about nf4.");
    }

    private static double ProductRate(int tokens)
    {
        const int Outputs = 2816;
        float[] x = new float[tokens * Hidden], w = new float[Outputs * Hidden], y = new float[tokens * Outputs];
        for (int i = 0; i < x.Length; i++) x[i] = (i % 97) * 0.01f;
        for (int i = 0; i < w.Length; i++) w[i] = (i % 89) * 0.01f;
        double best = GemmReport.Best(5, () => Sgemm.Run(tokens, Outputs, Hidden, x, w, y, Environment.ProcessorCount, KernelPaths.Selected))[0];
        return 2.0 * tokens * Outputs * Hidden / best / 1e9;
    }

    private static void WriteIds(string path, int tokens)
    {
        long[] ids = [.. Enumerable.Range(0, tokens).Select(i => (i * 7919L) % Vocabulary)];
        byte[] bytes = MemoryMarshal.AsBytes(ids.AsSpan()).ToArray();
        var tensor = new TensorInfo("input_ids", DType.I64, TensorShape.Of(tokens / Context, Context), 0, bytes.Length);
        File.WriteAllBytes(path, [.. SafetensorsHeaderWriter.Write([tensor], null), .. bytes]);
    }
}
