using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Reports;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb inspect PATH</c>: what is in a checkpoint, quantized or not, without reading its weights.</summary>
internal static class InspectCommand
{
    public static Command Create(CommandHost host)
    {
        var path = new Argument<string>("PATH") { Description = "Checkpoint folder, diffusers pipeline, one .safetensors file, or the id of a model in the local Hugging Face cache", CustomParser = Choice.FilePath };
        var fit = new FitOptions();
        var sources = new SourceOptions();
        var command = new Command("inspect", "List tensors, dtypes, shapes, sizes and quantization state of a checkpoint") { path, fit.Fits, fit.Context, sources.Variant };
        command.Validators.Add(fit.Validate);
        host.Attach(command, (parsed, context) =>
            Execute(context.Locate(parsed.GetRequiredValue(path)), context, parsed.GetValue(sources.Variant), fit.Memory(parsed), fit.Tokens(parsed)));
        return command;
    }

    /// <param name="variant">Which weights are read; null for the plain files.</param>
    /// <param name="memory">Bytes of a GPU to fit; null when not asked.</param>
    /// <param name="tokens">Tokens in its KV cache.</param>
    public static void Execute(string path, CommandContext context, string? variant = null, long? memory = null, int tokens = 1)
    {
        List<InspectSummary> summaries = [];
        foreach (InspectedModel model in InspectRun.ModelsIn(path, variant))
        {
            InspectSummary summary = InspectRun.Execute(model, context.Events);
            summaries.Add(summary);
            // A component by itself is not what has to fit.
            MemoryFit? fit = memory is { } bytes && model.Component is null ? MemoryFit.Of(summary.Checkpoint.Config, summary.TensorBytes, bytes, tokens) : null;
            if (context.Json) context.Terminal.Out.Write(InspectJson.Of(summary, fit));
            else InspectScreen.Write(summary, fit, context.Terminal, context.Verbosity);
        }

        if (summaries[0].Component is not null) WriteSum(new PipelineSummary(path, summaries), context, memory, tokens);
        // Shown as far as it could be read; a weight that cannot be decoded is an error all the same.
        foreach (InspectSummary summary in summaries) summary.ThrowIfMalformed();
    }

    private static void WriteSum(PipelineSummary summary, CommandContext context, long? memory, int tokens)
    {
        // Nothing is generated token by token, so there is no cache.
        MemoryFit? fit = memory is { } bytes ? new MemoryFit(bytes, tokens, summary.TensorBytes, CacheBytesPerToken: 0) : null;
        if (context.Json) context.Terminal.Out.Write(InspectJson.Of(summary, fit));
        else InspectScreen.WriteSum(summary, fit, context.Terminal);
    }
}
