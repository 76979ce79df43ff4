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
        var path = new Argument<string>("PATH") { Description = "Checkpoint folder, one .safetensors file, or the id of a model in the local Hugging Face cache", CustomParser = Choice.FilePath };
        var fit = new FitOptions();
        var command = new Command("inspect", "List tensors, dtypes, shapes, sizes and quantization state of a checkpoint") { path, fit.Fits, fit.Context };
        command.Validators.Add(fit.Validate);
        host.Attach(command, (parsed, context) => Execute(context.Locate(parsed.GetRequiredValue(path)), context, fit.Memory(parsed), fit.Tokens(parsed)));
        return command;
    }

    /// <param name="memory">Bytes of a GPU to fit; null when not asked.</param>
    /// <param name="tokens">Tokens in its KV cache.</param>
    public static void Execute(string path, CommandContext context, long? memory = null, int tokens = 1)
    {
        foreach (string model in InspectRun.ModelsIn(path)) ExecuteOne(model, context, memory, tokens);
    }

    private static void ExecuteOne(string path, CommandContext context, long? memory, int tokens)
    {
        InspectSummary summary = InspectRun.Execute(path, context.Events);
        MemoryFit? fit = memory is { } bytes ? MemoryFit.Of(summary.Checkpoint.Config, summary.TensorBytes, bytes, tokens) : null;
        if (context.Json) context.Terminal.Out.Write(InspectJson.Of(summary, fit));
        else InspectScreen.Write(summary, fit, context.Terminal, context.Verbosity);
        // Shown as far as it could be read; a weight that cannot be decoded is an error all the same.
        summary.ThrowIfMalformed();
    }
}
