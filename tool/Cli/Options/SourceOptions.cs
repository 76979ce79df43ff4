using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

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

    /// <summary>The share as a number from 0 to 1; null when not given.</summary>
    public double? CoverageOf(ParseResult parsed) => parsed.GetResult(MinCoverage) is { Implicit: false } ? parsed.GetValue(MinCoverage) : null;

    private static double ParsePercent(ArgumentResult result)
    {
        string word = result.Tokens[^1].Value, number = word.EndsWith('%') ? word[..^1] : word;
        if (double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double percent) && percent is >= 0 and <= 100)
        {
            // Who writes 0.9 means nine tenths, and 0.9 % would let everything pass.
            if (percent is > 0 and < 1 && number == word)
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"--min-coverage cannot take '{word}', which is {word} %; for a share of {word} write {percent * 100:0.####}%"));
            return percent / 100;
        }

        result.AddError($"--min-coverage takes a percentage from 0 to 100, as 90%, not '{word}'");
        return 0;
    }
}
