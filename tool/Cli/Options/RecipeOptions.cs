using System.CommandLine;
using System.CommandLine.Parsing;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Formats.Primitives;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Cli.Options;

/// <summary>The options of <c>quantize</c> that say what weights become. Each data type takes some of them; an option of another
/// type is an error, because who writes it means something.</summary>
internal sealed class RecipeOptions
{
    private const string Int8 = "int8";
    private const string Int4 = "int4";
    private const string Fp8 = "fp8";
    private const string None = "none";
    private const string True = "true";
    private const string Absmax = "absmax";
    private const string Search = "search";
    private static readonly int[] Blocksizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];
    private static readonly int[] GroupSizes = [32, 64, 128];
    private static readonly Dictionary<string, string> Bools = new() { [True] = True, ["false"] = "false" };
    private static readonly string[] FourBit = [.. Code4Catalog.All.Select(code => code.Name)];

    /// <summary>The words of <c>--type</c>.</summary>
    public static readonly IReadOnlyList<string> TypeNames = [.. FourBit, Int8, Int4, Fp8, None];

    private readonly Option<string> _type = new("--type", "-t")
    {
        Description = "Data type: nf4, fp4, int8 (LLM.int8()), int4 or fp8 (compressed-tensors), or none to leave weights as they are, merged or decoded (default: nf4)",
        HelpName = "TYPE",
        CustomParser = Choice.Parser(TypeNames.ToDictionary(name => name)),
    };

    private readonly Option<int> _blocksize = new("--block-size")
    {
        Description = "nf4 and fp4: values that share one absmax scale: 32, 64, 128, 256, 512, 1024, 2048 or 4096 (default: 64)",
        HelpName = "N",
        CustomParser = Choice.Parser(Blocksizes.ToDictionary(size => size.ToString())),
    };

    // Not bools: the parser would call any other word than true and false an unknown argument, and not name the option.
    private readonly Option<string> _doubleQuant = new("--double-quant")
    {
        Description = "nf4 and fp4: quantize the absmax scales too, saving 0.37 bit per parameter at block size 64: true or false (default: true)",
        HelpName = "BOOL",
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = Choice.Parser(Bools),
    };

    private readonly Option<DType> _quantStorage = new("--quant-storage")
    {
        Description = "nf4 and fp4: dtype the packed bytes are declared as: uint8, bfloat16, float16 or float32; others than uint8 are for FSDP only (default: uint8)",
        HelpName = "DTYPE",
        CustomParser = Choice.Parser(new Dictionary<string, DType>
        {
            ["uint8"] = DType.U8,
            ["bfloat16"] = DType.BF16,
            ["float16"] = DType.F16,
            ["float32"] = DType.F32,
        }),
    };

    private readonly Option<double> _threshold = new("--int8-threshold")
    {
        Description = "int8: llm_int8_threshold in config.json, the size from which activations are multiplied in 16 bit; 0 means never (default: 6.0)",
        HelpName = "X",
        CustomParser = Choice.NumberFromZero,
    };

    private readonly Option<int> _groupSize = new("--group-size")
    {
        Description = "int4: values of a row that share one scale: 32, 64 or 128 (default: 128)",
        HelpName = "N",
        CustomParser = Choice.Parser(GroupSizes.ToDictionary(size => size.ToString())),
    };

    private readonly Option<string> _symmetric = new("--symmetric")
    {
        Description = "int4: true for scales alone, false for a zero point per group as well: true or false (default: true)",
        HelpName = "BOOL",
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = Choice.Parser(Bools),
    };

    private readonly Option<ScaleRule> _scale = new("--scale")
    {
        Description = "How scales are found: absmax, as bitsandbytes does bit for bit, or search for the ones with the least squared error; the same layout and speed at inference (default: absmax)",
        HelpName = "RULE",
        CustomParser = Choice.Parser(new Dictionary<string, ScaleRule> { [Absmax] = ScaleRule.Absmax, [Search] = ScaleRule.Search }),
    };

    private readonly Option<string?> _importance;

    private readonly Option<ElementType?> _scaleType = new("--scale-dtype")
    {
        Description = "int4 with --scale search: what scales are stored as: bfloat16, float16 or float32 (default: the weights' dtype)",
        HelpName = "DTYPE",
        CustomParser = Choice.FloatType,
    };

    private readonly bool _weighsErrors;

    /// <param name="weighsErrors">Whether the command has a use for <c>--importance</c> without a search, too: it weighs what a form costs.</param>
    public RecipeOptions(bool weighsErrors = false)
    {
        _weighsErrors = weighsErrors;
        string use = weighsErrors ? "What errors are weighted with, and with --scale search scales as well" : "With --scale search";
        _importance = new Option<string?>("--importance")
        {
            Description = use + ": mean squared activations per input channel, a safetensors file with a vector per weight or llama.cpp's imatrix (default: every channel alike)",
            HelpName = "FILE",
            CustomParser = Choice.FilePath,
        };
    }

    /// <summary><c>--type</c> alone, for a command that leaves the others at their defaults.</summary>
    public Option<string> Type => _type;

    /// <summary>Those on which it depends what is packed.</summary>
    public IEnumerable<Option> Deciding => [_type, _blocksize, _groupSize];

    /// <summary>All of them, in the order in which help lists them.</summary>
    public IEnumerable<Option> All =>
        [_type, _blocksize, _doubleQuant, _quantStorage, _threshold, _groupSize, _symmetric, _scale, _importance, _scaleType];

    /// <summary>The file of --importance, or null.</summary>
    public string? ImportancePath(ParseResult parsed) => parsed.GetValue(_importance);

    /// <summary>Whether scales are searched.</summary>
    public bool Searches(CommandResult result) => WordOf(result, _scale) == Search;

    /// <summary>Adds an error for each option that the chosen type does not take.</summary>
    /// <param name="computeDType">An option of the command's own that only 4-bit types have a use for.</param>
    public void Validate(CommandResult result, Option? computeDType)
    {
        string type = TypeOf(result);
        foreach (Option? option in (Option?[])[_blocksize, _doubleQuant, _quantStorage, computeDType])
        {
            if (option is not null) Refuse(option, FourBit);
        }

        Refuse(_threshold, [Int8]);
        Refuse(_groupSize, [Int4]);
        Refuse(_symmetric, [Int4]);
        Refuse(_scaleType, [Int4]);
        Refuse(_scale, [.. FourBit, Int8, Int4]);
        if (!Searches(result))
        {
            foreach (Option option in _weighsErrors ? (Option[])[_scaleType] : [_importance, _scaleType])
            {
                if (result.GetResult(option) is { Implicit: false }) result.AddError($"{option.Name} needs --scale search");
            }
        }
        else if (type == Int4 && WordOf(result, _symmetric) == "false")
        {
            result.AddError("--scale search has no zero points; with --symmetric true it goes further than they do");
        }

        void Refuse(Option option, string[] types)
        {
            if (types.Contains(type) || !IsKnown(type) || result.GetResult(option) is not { Implicit: false }) return;
            result.AddError($"{option.Name} is an option of {string.Join(" and ", types)}; the type here is {type}");
        }
    }

    /// <summary>What the options say, defaults filled in.</summary>
    public QuantizeRecipe Recipe(ParseResult parsed) => TypeRecipe(parsed) with { Scale = parsed.ValueOr(_scale, ScaleRule.Absmax) };

    private QuantizeRecipe TypeRecipe(ParseResult parsed) => parsed.ValueOr(_type, FourBit[0]) switch
    {
        Int8 => new Int8Recipe(parsed.ValueOr(_threshold, Int8Recipe.DefaultThreshold)),
        Fp8 => new Fp8Recipe(),
        None => new NoneRecipe(),
        Int4 => new Int4Recipe(parsed.ValueOr(_groupSize, Int4Recipe.DefaultGroupSize), parsed.ValueOr(_symmetric, True) == True) { ScaleType = parsed.GetValue(_scaleType) },
        var name => new Blockwise4Recipe(
            Code4Catalog.ByName(name),
            parsed.ValueOr(_blocksize, 64),
            parsed.ValueOr(_doubleQuant, True) == True,
            parsed.ValueOr(_quantStorage, DType.U8)),
    };

    private static bool IsKnown(string type) => type is Int8 or Int4 or Fp8 or None || FourBit.Contains(type);

    // The word as given: one that is no type has an error of its own.
    private string TypeOf(CommandResult result) => WordOf(result, _type) ?? FourBit[0];

    private static string? WordOf(CommandResult result, Option option) =>
        result.GetResult(option) is { Implicit: false, Tokens: [.., { } given] } ? given.Value : null;
}
