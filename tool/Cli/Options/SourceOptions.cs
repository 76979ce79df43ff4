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

    /// <summary><c>--components</c>.</summary>
    public Option<IReadOnlyList<string>> Components { get; } = new("--components")
    {
        Description = "Components of a pipeline folder to quantize, with commas between, as transformer,text_encoder_2; the others are copied (default: denoisers, and text encoders of a billion parameters and more)",
        HelpName = "LIST",
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = ParseNames,
    };

    /// <summary><c>--variant</c>.</summary>
    public Option<string?> Variant { get; } = new("--variant")
    {
        Description = "Read this variant of the source's weights, as fp16 for model.fp16.safetensors; the output has the plain names (default: the plain files, or the only variant there is)",
        HelpName = "NAME",
        CustomParser = ParseVariant,
    };

    /// <summary><c>--dtype</c>.</summary>
    public Option<ElementType?> DType { get; } = new("--dtype")
    {
        Description = "Cast floating-point tensors to bfloat16, float16 or float32 before anything else, as a loader does that is given this dtype; what loaders keep in float32 stays (default: the source's dtypes)",
        HelpName = "DTYPE",
        CustomParser = ParseDType,
    };

    /// <summary>The share as a number from 0 to 1; null when not given.</summary>
    public double? CoverageOf(ParseResult parsed) => parsed.GetResult(MinCoverage) is { Implicit: false } ? parsed.GetValue(MinCoverage) : null;

    private static ElementType? ParseDType(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (!RecipeOptions.TypeNames.Contains(text)) return Choice.FloatType(result);
        result.AddError($"--dtype is what the source is cast to first, not '{text}'; did you mean --type {text}?");
        return null;
    }

    private static IReadOnlyList<string> ParseNames(ArgumentResult result)
    {
        string[] names = result.Tokens[^1].Value.Split(',', StringSplitOptions.TrimEntries);
        if (names.Any(static name => name.Length == 0)) result.AddError("--components takes names of components with commas between, as transformer,text_encoder_2");
        return [.. names.Distinct(StringComparer.Ordinal)];
    }

    private static string ParseVariant(ArgumentResult result)
    {
        string name = result.Tokens[^1].Value;
        if (name.Length == 0 || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') || name[0] == '-')
            result.AddError($"--variant takes a name such as fp16, not '{name}'");
        return name;
    }

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
