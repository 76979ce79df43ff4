using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Bnb.Quant.Numerics;

namespace Bnb.Cli.Options;

/// <summary>The options of <c>quantize</c> that say what goes into the output besides the source, and how much of it must be
/// quantized.</summary>
internal sealed class SourceOptions
{
    /// <summary><c>--merge-lora</c>.</summary>
    public Option<string?> MergeLora { get; } = new("--merge-lora")
    {
        Description = "Folder of a LoRA adapter (PEFT) to add to the weights first, in float32, rounded once; -t none writes the merged model (default: none)",
        HelpName = "DIR",
        CustomParser = Choice.FilePath,
    };

    /// <summary><c>--min-coverage</c>.</summary>
    public Option<double> MinCoverage { get; } = new("--min-coverage")
    {
        Description = "Fail (14) when less than this share of the parameters would be quantized, for example 90% (default: any share will do)",
        HelpName = "PERCENT",
        CustomParser = ParsePercent,
    };

    /// <summary><c>--dtype</c>.</summary>
    public Option<ElementType?> DType { get; } = new("--dtype")
    {
        Description = "Cast floating-point tensors to bfloat16, float16 or float32 before anything else, as a loader does that is given this dtype; what loaders keep in float32 stays (default: the source's dtypes)",
        HelpName = "DTYPE",
        CustomParser = Choice.Parser(new Dictionary<string, ElementType?>
        {
            ["bfloat16"] = ElementType.BF16,
            ["float16"] = ElementType.F16,
            ["float32"] = ElementType.F32,
        }),
    };

    /// <summary>The share as a number from 0 to 1; null when not given.</summary>
    public double? CoverageOf(ParseResult parsed) => parsed.GetResult(MinCoverage) is { Implicit: false } ? parsed.GetValue(MinCoverage) : null;

    private static double ParsePercent(ArgumentResult result)
    {
        string word = result.Tokens[^1].Value, number = word.EndsWith('%') ? word[..^1] : word;
        if (double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent) && percent is >= 0 and <= 100)
            return percent / 100;
        result.AddError($"--min-coverage takes a percentage from 0 to 100, as 90%, not '{word}'");
        return 0;
    }
}
