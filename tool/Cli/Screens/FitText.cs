using Bnb.Engine.Inspecting;
using Bnb.Engine.Text;
using Spectre.Console;

namespace Bnb.Cli.Screens;

/// <summary>Whether a model fits a GPU, as facts below a table.</summary>
internal static class FitText
{
    public static void Write(MemoryFit fit, IAnsiConsole console)
    {
        console.WriteLine();
        string cache = fit.CacheBytesPerToken == 0 ? "none: a pipeline generates nothing token by token" : fit.CacheBytes is { } bytes
            ? $"{ByteSize.Format(bytes)} for {TableConsole.Number(fit.Context)} tokens in 16 bit"
            : "unknown: config.json does not say layers and heads";
        List<(string, string)> facts =
        [
            ("GPU memory", ByteSize.Format(fit.Available)),
            ("weights", ByteSize.Format(fit.WeightBytes)),
            ("KV cache", cache),
            ("held back", $"{ByteSize.Format(fit.AllowanceBytes)} for activations and the runtime"),
            ("fits", fit.Fits ? $"yes, {ByteSize.Format(fit.LeftBytes)} to spare" : $"no, {ByteSize.Format(-fit.LeftBytes)} too much"),
        ];
        if (fit.MostTokens is { } tokens) facts.Add(("room for", $"{TableConsole.Number(tokens)} tokens"));
        TableConsole.WriteFacts(console, [.. facts]);
    }
}
