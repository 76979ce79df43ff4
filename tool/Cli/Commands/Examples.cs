using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Bnb.Cli.Terminal;

namespace Bnb.Cli.Commands;

/// <summary>What <c>--help</c> shows below the options: command lines to start from. Tests parse each.</summary>
internal static class Examples
{
    private static readonly Dictionary<string, string[]> Lines = new(StringComparer.Ordinal)
    {
        [""] =
        [
            "dotnet bnb demo demo-out",
            "dotnet bnb quantize Qwen/Qwen3-8B --output qwen3-8b-nf4",
            "dotnet bnb verify qwen3-8b-nf4 --source Qwen/Qwen3-8B",
            "dotnet bnb quantize --help",
        ],
        ["quantize"] =
        [
            "dotnet bnb quantize ./llama --output llama-nf4",
            "dotnet bnb quantize Qwen/Qwen3-8B --dry-run",
            "dotnet bnb quantize ./llama --output llama-int8 --type int8",
            "dotnet bnb quantize ./llama --output llama-int4 --type int4 --group-size 32",
            "dotnet bnb quantize ./flux --output flux-nf4 --components transformer,text_encoder_2",
            "dotnet bnb quantize ./llama --output llama-nf4 --exclude '*.down_proj' --max-shard-size 2GB",
        ],
        ["plan"] =
        [
            "dotnet bnb plan ./llama --target-size 5GiB --output recipe.json",
            "dotnet bnb plan ./llama --target-bits 4.5",
            "dotnet bnb quantize ./llama --output llama-mixed --config recipe.json",
        ],
        ["init"] = ["dotnet bnb init ./llama --output recipe.json", "dotnet bnb quantize ./llama --output llama-nf4 --config recipe.json"],
        ["finish"] = ["dotnet bnb finish llama-nf4"],
        ["explain"] = ["dotnet bnb explain llama", "dotnet bnb explain llama '*.down_proj.weight' --type int4"],
        ["lint"] = ["dotnet bnb lint llama-nf4", "dotnet bnb lint llama-nf4 --for vllm,transformers5"],
        ["evaluate"] = ["dotnet bnb evaluate llama-nf4 --source ./llama", "dotnet bnb evaluate llama-nf4 --source ./llama --max-perplexity-ratio 1.02"],
        ["verify"] =
        [
            "dotnet bnb verify llama-nf4 --source ./llama",
            "dotnet bnb verify llama-nf4 --source ./llama --report verify.html --report verify.xml",
            "dotnet bnb verify llama-nf4 --source ./llama --max-rel-error 0.12 --sample 5%",
        ],
        ["dequantize"] = ["dotnet bnb dequantize llama-nf4 --output llama-back", "dotnet bnb dequantize llama-int8 --output llama-back --dtype bfloat16"],
        ["inspect"] = ["dotnet bnb inspect llama-nf4", "dotnet bnb inspect Qwen/Qwen3-8B --json"],
        ["diff"] = ["dotnet bnb diff llama llama-back", "dotnet bnb diff llama-nf4 other-nf4 --include '*.mlp.*'"],
        ["codes"] = ["dotnet bnb codes", "dotnet bnb codes --type fp4 --json"],
        ["devices"] = ["dotnet bnb devices", "dotnet bnb devices --json"],
        ["demo"] = ["dotnet bnb demo demo-out"],
        ["completion"] = ["dotnet bnb completion bash > ~/.local/share/bash-completion/completions/dotnet-bnb"],
        ["man"] = ["dotnet bnb man > dotnet-bnb.1"],
    };

    /// <summary>The lines for a command, the root's for an empty name; none for a command without any.</summary>
    public static IReadOnlyList<string> Of(string command) => Lines.GetValueOrDefault(command, []);

    /// <summary>Makes help end with them, and as wide as the terminal.</summary>
    public static void AddTo(RootCommand root, ITerminal terminal)
    {
        foreach (HelpOption option in root.Options.OfType<HelpOption>())
        {
            if (option.Action is HelpAction help) option.Action = new WithExamples(help, root, terminal);
        }
    }

    private sealed class WithExamples(HelpAction help, RootCommand root, ITerminal terminal) : SynchronousCommandLineAction
    {
        // Help may be asked for without the arguments that a run needs.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            help.MaxWidth = terminal.Width;
            int exit = help.Invoke(parseResult);
            Command command = parseResult.CommandResult.Command;
            IReadOnlyList<string> lines = Of(command == root ? "" : command.Name);
            if (lines.Count == 0) return exit;
            terminal.Out.Write("Examples:\n");
            foreach (string line in lines) terminal.Out.Write($"  {line}\n");
            terminal.Out.Write('\n');
            return exit;
        }
    }
}
