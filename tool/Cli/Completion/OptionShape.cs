using System.CommandLine;

namespace Bnb.Cli.Completion;

/// <summary>An option as a shell sees it.</summary>
/// <param name="Names">Long name first, then the short one if there is one.</param>
/// <param name="ValueName">What its value is called in help; null for an option without a value.</param>
/// <param name="Values">The words it takes, empty when any value may be right.</param>
/// <param name="Description">First sentence of its help.</param>
internal sealed record OptionShape(IReadOnlyList<string> Names, string? ValueName, IReadOnlyList<string> Values, string Description)
{
    // Parsers know these words and tell nobody; a test gives each to its parser.
    private static readonly Dictionary<string, string[]> Words = new(StringComparer.Ordinal)
    {
        ["codes --type"] = ["nf4", "fp4"],
        ["explain --type"] = ["nf4", "fp4", "int8", "int4", "fp8"],
        ["--type"] = ["nf4", "fp4", "int8", "int4", "fp8", "none"],
        ["--block-size"] = ["32", "64", "128", "256", "512", "1024", "2048", "4096"],
        ["--double-quant"] = ["true", "false"],
        ["--symmetric"] = ["true", "false"],
        ["--group-size"] = ["32", "64", "128"],
        ["--quant-storage"] = ["uint8", "bfloat16", "float16", "float32"],
        ["--compute-dtype"] = ["bfloat16", "float16"],
        ["quantize --compute-dtype"] = ["bfloat16", "float16", "float32"],
        ["evaluate --compute-dtype"] = ["bfloat16", "float16", "float32"],
        ["--experts"] = ["pack", "keep"],
        ["--scale"] = ["absmax", "search"],
        ["--scale-dtype"] = ["bfloat16", "float16", "float32"],
        ["--dtype"] = ["bfloat16", "float16", "float32"],
        ["--device"] = ["auto", "cpu", "cuda", "opencl"],
        ["--non-finite"] = ["error", "keep"],
        ["--verbosity"] = ["quiet", "normal", "detailed", "diagnostic"],
    };

    private static readonly string[] Paths = ["DIR", "PATH", "FILE"];

    /// <summary>True when a path is the likely value.</summary>
    public bool TakesPath => Values.Count == 0 && ValueName is not null && Paths.Contains(ValueName);

    /// <summary>Reads an option of the parser.</summary>
    public static OptionShape Of(Command command, Option option)
    {
        bool isFlag = option.ValueType == typeof(bool) || option.Arity.MaximumNumberOfValues == 0;
        string description = option.Description ?? "";
        int end = description.IndexOfAny([':', ';', '(']);
        return new OptionShape(
            [option.Name, .. option.Aliases.Where(alias => alias != option.Name && alias.StartsWith('-')).Order(StringComparer.Ordinal)],
            isFlag ? null : option.HelpName ?? option.Name.TrimStart('-').ToUpperInvariant(),
            isFlag ? [] : Words.GetValueOrDefault($"{command.Name} {option.Name}") ?? Words.GetValueOrDefault(option.Name, []),
            (end < 0 ? description : description[..end]).Trim());
    }
}
