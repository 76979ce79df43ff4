using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Reports;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb inspect PATH</c>: what is in a checkpoint, quantized or not, without reading its weights.</summary>
internal static class InspectCommand
{
    private const int DefaultContext = 8192;

    public static Command Create(CommandHost host)
    {
        var path = new Argument<string>("PATH") { Description = "Checkpoint folder, one .safetensors file, or the id of a model in the local Hugging Face cache", CustomParser = Choice.FilePath };
        var fits = new Option<long>("--fits")
        {
            Description = "Also say whether weights and KV cache fit a GPU of this memory, for example 24GiB (default: not asked)",
            HelpName = "SIZE",
            CustomParser = Choice.Size,
        };
        var context = new Option<int>("--context")
        {
            Description = "Tokens in the KV cache for --fits, of all sequences together (default: 8192)",
            HelpName = "N",
            CustomParser = Choice.Number(1, int.MaxValue),
        };
        var command = new Command("inspect", "List tensors, dtypes, shapes, sizes and quantization state of a checkpoint") { path, fits, context };
        host.Attach(command, (parsed, run) => Execute(
            run.Locate(parsed.GetRequiredValue(path)),
            run,
            parsed.GetResult(fits) is null ? null : parsed.GetValue(fits),
            parsed.ValueOr(context, DefaultContext)));
        return command;
    }

    /// <param name="memory">Bytes of a GPU to fit; null when not asked.</param>
    /// <param name="tokens">Tokens in its KV cache.</param>
    public static void Execute(string path, CommandContext context, long? memory = null, int tokens = DefaultContext)
    {
        foreach (string model in InspectRun.ModelsIn(path)) ExecuteOne(model, context, memory, tokens);
    }

    private static void ExecuteOne(string path, CommandContext context, long? memory, int tokens)
    {
        InspectSummary summary = InspectRun.Execute(path, context.Events);
        MemoryFit? fit = memory is { } bytes ? MemoryFit.Of(summary, bytes, tokens) : null;
        if (context.Json) context.Terminal.Out.Write(InspectJson.Of(summary, fit));
        else InspectScreen.Write(summary, fit, context.Terminal, context.Verbosity);
        // Shown as far as it could be read; a weight that cannot be decoded is an error all the same.
        summary.ThrowIfMalformed();
    }
}
