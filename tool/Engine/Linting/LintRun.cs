using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Verifying;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Linting;

/// <summary>
/// Judges a quantized checkpoint, whoever made it, by the rules of the libraries that may load it. Reads headers, the config and
/// the small tensors that describe weights.
/// </summary>
internal static class LintRun
{
    /// <returns>One for the model, or for each component of a pipeline that is quantized.</returns>
    /// <exception cref="UserErrorException">NOT-QUANTIZED: there is no weight that a loader would unpack.</exception>
    public static IReadOnlyList<LintReport> ExecuteAll(LintRequest request, IRunEvents events)
    {
        if (!PipelineFolder.IsAt(request.Path)) return [Execute(request, events)];
        UnfinishedOutput.Refuse(request.Path);
        PipelineFolder pipeline = PipelineFolder.Open(request.Path, followSymlinks: true, variant: null);
        foreach (string note in pipeline.Notes) events.Warning(note);
        List<LintReport> reports = [];
        foreach (PipelineComponent component in pipeline.Quantized)
        {
            var own = new LintRequest(Path.Combine(request.Path, component.Name), ComponentConsumers(component, request.Consumers));
            reports.Add(Execute(own, events) with { Component = component.Name });
        }

        if (reports.Count > 0) return reports;
        throw new UserErrorException(ExitCode.InputUnsupported, "NOT-QUANTIZED", "no component of the pipeline is quantized")
        {
            File = pipeline.Folder,
            Facts = [("components", ItemList.Names([.. pipeline.Components.Select(static component => component.Name)]))],
            Action = "quantize the pipeline first; plain components load as they are",
        };
    }

    /// <summary>The same of one model.</summary>
    /// <exception cref="UserErrorException">NOT-QUANTIZED: there is no weight that a loader would unpack.</exception>
    public static LintReport Execute(LintRequest request, IRunEvents events)
    {
        UnfinishedOutput.Refuse(request.Path);
        QuantizedCheckpoint weights = DataTypeCatalog.Read(Checkpoint.Open(request.Path, requireConfig: false, followSymlinks: true));
        foreach (string note in weights.Source.Notes) events.Warning(DisplayText.Escape(note));
        if (weights.Weights.Count == 0 && weights.Problems.Count == 0)
        {
            throw new UserErrorException(ExitCode.InputUnsupported, "NOT-QUANTIZED", "there is no nf4, fp4, int8, int4 or fp8 weight to judge")
            {
                File = weights.Source.Folder,
                Action = "quantize the checkpoint first; plain ones load as they are",
            };
        }

        RefuseOtherMethod(weights);
        var checkpoint = new LintedCheckpoint(weights);
        IReadOnlyList<LoadTarget> consumers = request.Consumers.Count > 0 ? request.Consumers : Usual(checkpoint);
        List<LintFinding> common = [.. Layout(weights), .. ConfigFindings(checkpoint)];
        return new LintReport(
            request.Path,
            [.. weights.Weights.Select(weight => weight.Type).Distinct().Order(StringComparer.Ordinal)],
            checkpoint.Known.Whole?.Name,
            weights.Weights.Count,
            [.. consumers.Select(consumer => new ConsumerVerdict(consumer, [.. common, .. Judge(checkpoint, consumer)]))]);
    }

    /// <summary>What another library made and loads itself: by the rules of these two nothing about it would be right.</summary>
    private static void RefuseOtherMethod(QuantizedCheckpoint weights)
    {
        string? method = weights.Source.Config?.QuantMethod;
        bool isOurs = weights.Weights.Count == 0 || weights.Weights.Any(static weight => weight is BnbWeight or Int8Weight or Int4Weight);
        if (method is null or "bitsandbytes" or "compressed-tensors" || isOurs) return;
        throw new UserErrorException(
            ExitCode.InputUnsupported, "QUANT-UNSUP", "lint judges checkpoints of bitsandbytes and compressed-tensors, and this one is of another method")
        {
            File = weights.Source.ConfigPath,
            Facts = [("quant_method", DisplayText.Escape(method)), ("weights", ItemList.Names([.. weights.Weights.Select(static weight => weight.Type).Distinct()]))],
            Action = "load it with the library that made it, or quantize it: dotnet bnb quantize decodes it first",
        };
    }

    /// <summary>
    /// Who loads a component: diffusers its own, transformers the others, either version unless one was asked for. Servers that were
    /// asked for judge it as a model.
    /// </summary>
    private static List<LoadTarget> ComponentConsumers(PipelineComponent component, IReadOnlyList<LoadTarget> wanted)
    {
        bool isDiffusers = component.Checkpoint.Config?.IsDiffusers == true;
        List<LoadTarget> own =
        [
            .. wanted.Where(target => target is not (LoadTarget.Transformers4 or LoadTarget.Transformers5 or LoadTarget.Diffusers) || (target == LoadTarget.Diffusers) == isDiffusers),
        ];
        return own.Count > 0 ? own : isDiffusers ? [LoadTarget.Diffusers] : [LoadTarget.Transformers4, LoadTarget.Transformers5];
    }

    /// <summary>Who can load the type at all and has the class, as far as is known.</summary>
    private static List<LoadTarget> Usual(LintedCheckpoint checkpoint)
    {
        bool isDiffusers = checkpoint.Facts.Identity.DiffusersClass is not null;
        if (isDiffusers) return [LoadTarget.Diffusers];
        List<LoadTarget> targets = [];
        if (Has(checkpoint, Loader.Transformers4)) targets.Add(LoadTarget.Transformers4);
        if (Has(checkpoint, Loader.Transformers5)) targets.Add(LoadTarget.Transformers5);
        if (checkpoint.Known.Whole is null || checkpoint.Known.Vllm is { } vllm && (vllm.ReadsBitsAndBytes || checkpoint.IsCompressed)) targets.Add(LoadTarget.Vllm);
        if (!checkpoint.IsCompressed) targets.Add(LoadTarget.Peft);
        return targets;
    }

    private static bool Has(LintedCheckpoint checkpoint, Loader loader) =>
        checkpoint.Known.Whole is not { } whole || whole.IndexOf(loader) >= 0;

    private static IReadOnlyList<LintFinding> Judge(LintedCheckpoint checkpoint, LoadTarget consumer)
    {
        var found = new LintCollector();
        switch (consumer)
        {
            case LoadTarget.Transformers4: Library(Loader.Transformers4); break;
            case LoadTarget.Transformers5 or LoadTarget.Peft: Library(Loader.Transformers5); break;
            case LoadTarget.Diffusers: Library(Loader.Diffusers); break;
            default: new ServerRules(checkpoint, consumer == LoadTarget.Vllm, found).Run(); break;
        }

        if (checkpoint.IsCompressed && consumer is LoadTarget.Diffusers or LoadTarget.Peft)
            found.AddWhole(LintRules.WrongType, LintLevel.Error, $"{consumer.Word()} has no loader for compressed-tensors");
        if (checkpoint.Known.Whole is null) found.AddWhole(LintRules.UnknownClass, LintLevel.Note, LintRules.UnknownClass.Title);
        return found.Findings;

        void Library(Loader loader)
        {
            if (!Has(checkpoint, loader) && checkpoint.Config?.Has("auto_map") != true)
                found.AddWhole(LintRules.NoClass, LintLevel.Error, $"{consumer.Word()} has no class {DisplayText.Escape(checkpoint.Known.Whole!.Name)}");
            new LibraryRules(checkpoint, loader, found).Run();
        }
    }

    /// <summary>Broken rules of the weights' layouts, by their own identifiers.</summary>
    private static IEnumerable<LintFinding> Layout(QuantizedCheckpoint weights) =>
        weights.Problems.GroupBy(problem => (problem.Rule, problem.IsFatal)).Select(group => new LintFinding(
            group.Key.Rule,
            group.Key.IsFatal ? LintLevel.Error : LintLevel.Warning,
            $"{DisplayText.Escape(group.First().Tensor)} {group.First().Text}{(group.Count() > 1 ? $", and {group.Count() - 1} more" : "")}",
            [.. group.Select(problem => problem.Tensor)],
            "quantize the original weights again"));

    private static IEnumerable<LintFinding> ConfigFindings(LintedCheckpoint checkpoint)
    {
        if (checkpoint.Settings is null)
            return [new LintFinding(LintRules.NoConfig.Id, LintLevel.Error, LintRules.NoConfig.Title, [], LintRules.NoConfig.Action)];
        return ConfigAudit.Members(checkpoint.Weights).Select(finding => new LintFinding(
            LintRules.ConfigDiffers.Id, finding.Fails ? LintLevel.Error : LintLevel.Warning, finding.Text, [], LintRules.ConfigDiffers.Action));
    }
}
