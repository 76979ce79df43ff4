namespace Bnb.Cli.Options;

/// <summary>What people write who come from other tools, and what it is called here. Nothing of this is accepted: a command line
/// that works by luck is read by the next person as if it were right.</summary>
internal static class Synonyms
{
    private static readonly Dictionary<string, string> Commands = new(StringComparer.OrdinalIgnoreCase)
    {
        ["convert"] = "quantize",
        ["compress"] = "quantize",
        ["make"] = "quantize",
        ["export"] = "quantize",
        ["q"] = "quantize",
        ["unquantize"] = "dequantize",
        ["restore"] = "dequantize",
        ["decode"] = "dequantize",
        ["dequant"] = "dequantize",
        ["check"] = "verify",
        ["validate"] = "verify",
        ["test"] = "verify",
        ["compare"] = "diff",
        ["cmp"] = "diff",
        ["info"] = "inspect",
        ["show"] = "inspect",
        ["list"] = "inspect",
        ["ls"] = "inspect",
        ["gpus"] = "devices",
        ["gpu"] = "devices",
        ["example"] = "demo",
    };

    private static readonly Dictionary<string, string> Options = new(StringComparer.OrdinalIgnoreCase)
    {
        ["--out"] = "--output",
        ["--out-dir"] = "--output",
        ["--output-dir"] = "--output",
        ["--outdir"] = "--output",
        ["--outfile"] = "--output",
        ["--save-dir"] = "--output",
        ["--dest"] = "--output",
        ["--bits"] = "--type nf4 for 4 bits, or --type int8 for 8",
        ["--wbits"] = "--type nf4 for 4 bits, or --type int8 for 8",
        ["--quant"] = "--type",
        ["--quant-type"] = "--type",
        ["--qtype"] = "--type",
        ["--outtype"] = "--type",
        ["--scheme"] = "--type",
        ["--4bit"] = "--type nf4",
        ["--load-in-8bit"] = "--type int8",
        ["--8bit"] = "--type int8",
        ["--blocksize"] = "--block-size",
        ["--use-double-quant"] = "--double-quant true",
        ["--nested"] = "--double-quant",
        ["--force"] = "--overwrite",
        ["-f"] = "--overwrite",
        ["--yes"] = "--overwrite",
        ["-y"] = "--overwrite",
        ["--quiet"] = "--verbosity quiet",
        ["-q"] = "--verbosity quiet",
        ["--verbose"] = "--verbosity detailed",
        ["--debug"] = "--verbosity diagnostic",
        ["--jobs"] = "--threads",
        ["-j"] = "--threads",
        ["--workers"] = "--threads",
        ["--num-threads"] = "--threads",
        ["--gpu"] = "--device cuda",
        ["--cuda"] = "--device cuda",
        ["--cpu"] = "--device cpu",
        ["--skip"] = "--exclude",
        ["--ignore"] = "--exclude",
        ["--modules-to-not-convert"] = "--exclude",
        ["--shard-size"] = "--max-shard-size",
        ["--ram"] = "--max-memory",
        ["--memory"] = "--max-memory",
        ["--reference"] = "--source",
        ["--original"] = "--source",
        ["--tolerance"] = "--max-rel-error",
        ["-v"] = "--version",
        ["-b"] = "--type nf4 for 4 bits, or --type int8 for 8",
        ["--dtype-compute"] = "--compute-dtype",
        ["--group"] = "--group-size",
        ["--groupsize"] = "--group-size",
        ["--q-group-size"] = "--group-size",
        ["--sym"] = "--symmetric true",
        ["--asym"] = "--symmetric false",
        ["--asymmetric"] = "--symmetric false",
        ["--imatrix"] = "--importance",
        ["--lora"] = "--merge-lora",
        ["--adapter"] = "--merge-lora",
        ["--recipe"] = "--config",
        ["--revision"] = "the revision behind the id: org/name@revision",
        ["--trust-remote-code"] = "the command without it: no code of a model is ever run",
        ["--no-hash"] = "--no-checksums",
        ["--skip-checksums"] = "--no-checksums",
        ["--resume"] = "the command without it: it goes on where a run stopped",
        ["--load-in-4bit"] = "--type nf4",
        // As config.json has them.
        ["--quant-method"] = "--type",
        ["--bnb-4bit-quant-type"] = "--type",
        ["--bnb-4bit-use-double-quant"] = "--double-quant",
        ["--bnb-4bit-compute-dtype"] = "--compute-dtype",
        ["--bnb-4bit-quant-storage"] = "--quant-storage",
        ["--llm-int8-threshold"] = "--int8-threshold",
        ["--llm-int8-skip-modules"] = "--exclude",
        ["--torch-dtype"] = "--dtype",
        ["--model"] = "the path or id alone, without an option",
        ["--input"] = "the path or id alone, without an option",
    };

    private static readonly Dictionary<string, string> Values = new(StringComparer.OrdinalIgnoreCase)
    {
        ["bf16"] = "bfloat16",
        ["fp16"] = "float16",
        ["half"] = "float16",
        ["f16"] = "float16",
        ["fp32"] = "float32",
        ["f32"] = "float32",
        ["float"] = "float32",
        ["torch.bfloat16"] = "bfloat16",
        ["torch.float16"] = "float16",
        ["torch.float32"] = "float32",
        ["yes"] = "true",
        ["on"] = "true",
        ["1"] = "true",
        ["y"] = "true",
        ["no"] = "false",
        ["off"] = "false",
        ["0"] = "false",
        ["n"] = "false",
        ["4"] = "nf4",
        ["4bit"] = "nf4",
        ["bnb"] = "nf4",
        ["8"] = "int8",
        ["8bit"] = "int8",
        ["llm.int8"] = "int8",
        ["q4"] = "nf4",
        ["q8"] = "int8",
        ["q4_0"] = "nf4",
        ["q4_k_m"] = "nf4",
        ["q8_0"] = "int8",
        ["gptq"] = "int4",
        ["awq"] = "int4",
        ["w4a16"] = "int4",
        ["float8"] = "fp8",
        ["e4m3"] = "fp8",
        ["gpu"] = "cuda",
        ["nvidia"] = "cuda",
        ["transformers"] = "transformers5",
        ["hf"] = "transformers5",
        ["debug"] = "diagnostic",
        ["verbose"] = "detailed",
        ["info"] = "detailed",
        ["silent"] = "quiet",
        ["powershell"] = "pwsh",
        ["sh"] = "bash",
    };

    /// <summary>The command meant by another tool's word for it, or null.</summary>
    public static string? Command(string word) => Commands.GetValueOrDefault(word);

    /// <summary>The option meant, perhaps with a value; underscores are as good as dashes.</summary>
    public static string? Option(string word) => word.StartsWith('-') ? Options.GetValueOrDefault(word.Replace('_', '-')) : null;

    /// <summary>The value meant, if it is one of <paramref name="choices"/>: in other letters, under another name, or misspelt by
    /// one letter.</summary>
    public static string? Value(string word, IReadOnlyCollection<string> choices)
    {
        string trimmed = word.Trim();
        if (choices.FirstOrDefault(choice => choice.Equals(trimmed, StringComparison.OrdinalIgnoreCase)) is { } same) return same;
        if (Values.TryGetValue(trimmed, out string? known) && choices.Contains(known)) return known;
        // nf for nf4, fp8_e4m3 for fp8: where only one of them can be meant, and numbers are whole words.
        string[] related = trimmed.Length > 1 && !char.IsAsciiDigit(trimmed[0]) ? [.. choices.Where(choice => Begins(choice, trimmed) || Begins(trimmed, choice))] : [];
        if (related.Length == 1) return related[0];
        // One letter of a short word is another word: 63 is not nearly 64.
        return trimmed.Length > 3 ? Bnb.Engine.Text.NearestNames.Within(trimmed, choices, 1) : null;
    }

    private static bool Begins(string word, string with) => word.StartsWith(with, StringComparison.OrdinalIgnoreCase);
}
