using System.Diagnostics;
using System.Globalization;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Engine.Work;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Verifying;

/// <summary>One verification from start to end: plan, measure every chosen layer in one pass, judge.</summary>
internal static class VerifyRun
{
    /// <summary>Verifies, applies the policy, compares with the baseline.</summary>
    public static VerificationReport Execute(VerifyRequest request, IRunEvents events, CancellationToken cancellation)
    {
        // What can be wrong with the options is said before hours of work, not after.
        PolicyFile? policy = request.PolicyPath is { } policyPath ? PolicyFile.Read(policyPath, request.NamePrefix) : null;
        Baseline? baseline = request.BaselinePath is { } baselinePath ? Baseline.Read(baselinePath) : null;

        VerificationReport report = Measure(
            request, name => policy is null ? request.Limits : request.Limits.Or(policy.For(name)), events, cancellation, out IReadOnlyList<string> names);
        if (policy is not null)
        {
            report = report with
            {
                Findings = [.. report.Findings, .. policy.Unmatched(report.Layers.Select(layer => layer.Name)).Select(
                    glob => new Finding("policy", $"the policy's pattern {DisplayText.Escape(glob)} matches no verified layer", Fails: false))],
            };
        }

        return baseline is null ? report : baseline.Compare(report, names);
    }

    /// <param name="limitsOf">The limits of a layer, by its name.</param>
    /// <param name="names">All quantized weights of the checkpoint, verified or not.</param>
    private static VerificationReport Measure(
        VerifyRequest request, Func<string, Thresholds> limitsOf, IRunEvents events, CancellationToken cancellation, out IReadOnlyList<string> names)
    {
        var watch = Stopwatch.StartNew();
        KernelPath path = request.KernelPath ?? KernelChoice.Selected();
        VerifyPlan plan = VerifyPlan.Make(request);
        foreach (string note in plan.Quantized.Source.Notes.Concat(plan.Source.Notes)) events.Warning(DisplayText.Escape(note));

        names = [.. plan.Quantized.Weights.Select(weight => weight.Name)];
        ElementType computeType = request.ComputeType ?? ConfiguredComputeType(plan) ?? ElementType.BF16;
        bool multiplies = request.Tokens > 0 || request.ActivationsPath is not null;
        Activations? activations = multiplies ? new Activations(request, computeType) : null;
        int tokens = activations is null ? 0 : plan.Layers.Select(layer => activations.TokensFor(layer.Weight.Name, request.Tokens)).DefaultIfEmpty(0).Max();
        string? cpuOnly = !multiplies || plan.Layers.Count == 0 ? "comparing without products" : null;
        long work = multiplies ? plan.Layers.Sum(layer => layer.Weight.ValueCount * 2) : 0;
        using ComputeEngine engine = DeviceSelector.Open(
            new DeviceNeed(request.Device, request.MaxDeviceMemoryBytes, work, request.Threads, cpuOnly),
            path, events);
        // Large panels keep a GPU busy, but not at the price of not running at all.
        int panelValues = engine.PreferredChunkValues;
        VerifySizes sizes = VerifySizes.Of(plan.Layers, tokens, panelValues);
        while (sizes.Bytes > request.MaxMemoryBytes && panelValues > CpuEngine.ChunkValues)
            sizes = VerifySizes.Of(plan.Layers, tokens, panelValues /= 2);
        int workers = Workers(request, sizes);

        var results = new LayerResult?[plan.Layers.Count];
        var plainFindings = new Finding?[plan.Plain.Count];
        var tally = new SearchTally();
        using (var source = new TensorSource(plan.Layers.SelectMany(TensorsOf), DataTypeCatalog.InputsOn(engine)))
        {
            var shared = new LayerContext(source, activations, computeType, ConfiguredThreshold(plan), engine, panelValues);
            List<LayerRun> runs = [.. plan.Layers.Select(layer => LayerRun.Create(layer, shared))];
            var progress = new PipelineProgress(runs.Sum(run => run.Bytes) + (2 * plan.Plain.Sum(pair => pair.Quantized.ByteCount)));
            using IDisposable? watching = events.Watch(progress);
            WorkQueue.Run(
                Work(runs, plan.Plain.Count), workers, () => new VerifyBuffers(sizes),
                (item, buffers) =>
                {
                    if (item.Run is { } run)
                    {
                        if (item.Panel == 0) progress.Current = run.Layer.Weight.Name;
                        bool last = run.Process(item.Panel, buffers);
                        progress.Add(run.Bytes / run.PanelCount);
                        if (!last) return;
                        int layerTokens = activations?.TokensFor(run.Layer.Weight.Name, request.Tokens) ?? 0;
                        PanelResult merged = run.Merged();
                        lock (tally) tally.Merge(merged.Search);
                        results[item.Index] = LayerJudge.Judge(run, merged, computeType, layerTokens, limitsOf(run.Layer.Weight.Name));
                        activations?.Release(run.Layer.Weight.Name);
                        foreach (TensorPlan tensor in TensorsOf(run.Layer))
                        {
                            foreach (CheckpointFile file in tensor.SourceFiles) source.Release(file);
                        }
                    }
                    else
                    {
                        plainFindings[item.Index] = PlainComparison.Compare(plan.Plain[item.Index].Quantized, plan.Plain[item.Index].Source, engine);
                        progress.Add(2 * plan.Plain[item.Index].Quantized.ByteCount);
                    }
                },
                cancellation);
        }

        // A sample is for those who do not want everything to be read, and a source is several times as large.
        IReadOnlyList<VerifiedFile> quantizedFiles = VerifiedFile.Of(plan.Quantized.Source, request.HashContents && request.Sample is null, request.Threads, cancellation);
        IReadOnlyList<VerifiedFile> sourceFiles = VerifiedFile.Of(plan.Source, hashContents: false, request.Threads, cancellation);
        // After all reading: what the hashes say is what was measured.
        foreach (CheckpointFile file in plan.Source.Files.Concat(plan.Quantized.Source.Files)) InputCheck.ThrowIfChanged(file);
        List<Finding> findings = [.. plan.Findings, .. Diagnosis.OtherWeights([.. results.OfType<LayerResult>()]), .. plainFindings.OfType<Finding>(), .. GainOf(tally)];
        return new VerificationReport(
            request.QuantizedPath,
            request.SourcePath,
            engine.Name,
            request.Seed,
            request.Sample,
            plan.Quantized.Weights.Count,
            [.. results.OfType<LayerResult>()],
            [.. findings.OrderByDescending(Diagnosis.Is).ThenByDescending(finding => finding.Fails)],
            plan.Plain.Count,
            plainFindings.Count(finding => finding is { Fails: true }),
            watch.Elapsed.TotalSeconds,
            engine.Note)
        {
            Command = request.Command,
            QuantizedFiles = quantizedFiles,
            SourceFiles = sourceFiles,
        };
    }

    /// <summary>What searched scales gain; sums come in any order of layers, which the digits shown do not tell.</summary>
    private static IEnumerable<Finding> GainOf(SearchTally tally)
    {
        if (tally.Proven == 0) yield break;
        double gain = tally.Absmax > 0 ? 1 - (tally.Stored / tally.Absmax) : 0;
        yield return new Finding(
            "scale-search",
            string.Create(CultureInfo.InvariantCulture, $"searched scales: the squared error is {gain:P1} below that of absmax; of {tally.Proven:N0} sampled blocks {tally.Beaten:N0} have a better scale"),
            Fails: false);
    }

    private static IEnumerable<(LayerRun? Run, int Panel, int Index)> Work(List<LayerRun> runs, int plain)
    {
        for (int index = 0; index < runs.Count; index++)
        {
            for (int panel = 0; panel < runs[index].PanelCount; panel++) yield return (runs[index], panel, index);
        }

        for (int index = 0; index < plain; index++) yield return (null, 0, index);
    }

    /// <summary>Both sides of a layer, as the source of bytes counts them.</summary>
    private static IEnumerable<TensorPlan> TensorsOf(LayerPlan layer) =>
        [layer.Source, new TensorPlan(layer.Weight.Stored, layer.Source.Decision, null, new Dequantization(layer.Weight, ElementType.F32, false))];

    private static ElementType? ConfiguredComputeType(VerifyPlan plan) =>
        // Only 4-bit configs say it; the others multiply in the dtype of the model.
        (plan.Quantized.Weights.Any(weight => weight is BnbWeight)
            ? plan.Quantized.Source.Config?.ComputeDType
            : plan.Quantized.Source.Config?.TorchDType) switch
        {
            "float16" => ElementType.F16,
            "bfloat16" => ElementType.BF16,
            _ => null,
        };

    /// <summary>Read at run time by the loaders; a config without it has bitsandbytes' own.</summary>
    private static float ConfiguredThreshold(VerifyPlan plan) =>
        plan.Quantized.Source.Config?.Quantization?.Int8Threshold is >= 0 and <= float.MaxValue and { } threshold
            ? (float)threshold
            : (float)BnbQuantizationConfig.DefaultInt8Threshold;

    private static int Workers(VerifyRequest request, VerifySizes sizes)
    {
        int workers = (int)Math.Min(request.Threads, request.MaxMemoryBytes / Math.Max(1, sizes.Bytes));
        if (workers > 0) return workers;
        throw new UserErrorException(ExitCode.Usage, "USAGE", $"--max-memory {ByteSize.Format(request.MaxMemoryBytes)} is too small for this run")
        {
            Facts = [("needed", $"{ByteSize.Exact(sizes.Bytes)} bytes for one thread")],
            Action = "raise --max-memory, or lower --tokens",
        };
    }
}
