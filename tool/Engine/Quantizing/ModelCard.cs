using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// The README.md of a quantized model: metadata by which the hub links it to its base model, the recipe, and below it the card
/// of the source as it was. A source without a card that comes from nowhere known gets none.
/// </summary>
internal static partial class ModelCard
{
    private const int LargestCard = 4 << 20;

    // What is said about the quantized model, not about its base.
    private static readonly string[] OwnKeys = ["base_model", "base_model_relation", "tags"];

    /// <summary>The card's bytes; null when there is none to write, or when the source's is no text and is better copied.</summary>
    /// <param name="plans">What is quantized: a model, or components of a pipeline.</param>
    /// <param name="sideFiles">Of the source.</param>
    /// <param name="folder">Of the source.</param>
    public static byte[]? Of(IReadOnlyList<QuantizePlan> plans, SideFileList sideFiles, string folder)
    {
        SideFile? old = sideFiles.Copied.FirstOrDefault(file => file.RelativeName == OutputPlan.CardName);
        string? baseModel = HuggingFaceCache.ModelOf(folder)?.Id;
        if ((old is null && baseModel is null) || old?.Length > LargestCard) return null;
        string? text = old is null ? "" : Read(old.Path);
        return text is null ? null : Encoding.UTF8.GetBytes(Card(plans, baseModel, text));
    }

    private static string? Read(string path)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)).ReplaceLineEndings("\n").TrimStart('\ufeff');
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static string Card(IReadOnlyList<QuantizePlan> plans, string? baseModel, string old)
    {
        (List<string> metadata, string body) = Split(old);
        var card = new StringBuilder("---\n");
        if (baseModel is not null || ValueOf(metadata, "base_model") is null)
        {
            if (baseModel is not null) card.Append($"base_model: {baseModel}\nbase_model_relation: quantized\n");
        }
        else
        {
            // A path says nothing about the hub; then the base of the source is the nearest that is known.
            card.Append(ValueOf(metadata, "base_model")).Append("base_model_relation: quantized\n");
        }

        card.Append("tags:\n");
        foreach (string tag in Tags(ValueOf(metadata, "tags")).Concat(OwnTags(plans[0].Recipe)).Distinct(StringComparer.Ordinal)) card.Append("- ").Append(tag).Append('\n');
        foreach (string block in metadata.Where(block => !OwnKeys.Contains(KeyOf(block)))) card.Append(block);
        card.Append("---\n\n").Append(RecipeOf(plans, baseModel));
        if (body.Trim().Length > 0) card.Append("\n---\n\n").Append(body.TrimStart('\n'));
        return card.ToString();
    }

    private static string RecipeOf(IReadOnlyList<QuantizePlan> plans, string? baseModel)
    {
        QuantizeRecipe recipe = plans[0].Recipe;
        int all = plans.Sum(static plan => plan.Tensors.Count), quantized = plans.Sum(static plan => plan.Tensors.Count(static tensor => tensor.Quantization is not null));
        long parameters = plans.Sum(static plan => plan.ParameterCount);
        string subject = baseModel is null ? "This model" : $"[{baseModel}](https://huggingface.co/{baseModel})";
        string share = parameters == 0 ? "0" : (100.0 * plans.Sum(static plan => plan.QuantizedParameterCount) / parameters).ToString("F1", CultureInfo.InvariantCulture);
        // Of a pipeline, the numbers are those of the components that were quantized; the others are copies.
        string components = plans[0].Component is null ? "" : $"| components | {string.Join(", ", plans.Select(static plan => $"`{DisplayText.Escape(plan.Component!)}`"))}; the others as they were |\n";
        return string.Create(CultureInfo.InvariantCulture, $"""
            # Quantized to {recipe.Type}

            {subject}, quantized with `dotnet bnb`. Everything below the line is the card of the original model.

            | | |
            | --- | --- |
            {components}| data type | {Describe(recipe)} |
            | tensors | {quantized} quantized, {all - quantized} as they were |
            | parameters | {parameters:N0}, {share} % quantized |
            | not quantized | {NotQuantized(plans)} |
            | made with | {ToolVersion.Name} |

            `dotnet bnb verify THIS --source ORIGINAL` measures it against the original, code by code.

            """).ReplaceLineEndings("\n");
    }

    private static string NotQuantized(IReadOnlyList<QuantizePlan> plans)
    {
        List<string> modules = [.. plans.SelectMany(static plan => plan.Policy.SkipModules).Distinct(StringComparer.Ordinal)];
        return modules.Count == 0 ? "-" : string.Join(", ", modules.Select(static module => $"`{DisplayText.Escape(module)}`"));
    }

    private static string Describe(QuantizeRecipe recipe) => recipe switch
    {
        Blockwise4Recipe blockwise => $"{blockwise.Type} of bitsandbytes, block size {blockwise.Blocksize.ToString(CultureInfo.InvariantCulture)}{(blockwise.DoubleQuant ? ", double quantization" : "")}",
        Int4Recipe groups => $"int4 of compressed-tensors, group size {groups.GroupSize.ToString(CultureInfo.InvariantCulture)}, {(groups.Symmetric ? "symmetric" : "asymmetric")}",
        Int8Recipe => "LLM.int8() of bitsandbytes",
        var other => other.Type,
    };

    private static IEnumerable<string> OwnTags(QuantizeRecipe recipe) => recipe switch
    {
        Blockwise4Recipe => ["bitsandbytes", recipe.Type, "4-bit"],
        Int8Recipe => ["bitsandbytes", recipe.Type, "8-bit"],
        _ => ["compressed-tensors", recipe.Type],
    };

    /// <summary>The metadata as blocks, each a key with the lines that belong to it, and what follows.</summary>
    private static (List<string> Metadata, string Body) Split(string card)
    {
        Match match = FrontMatter().Match(card);
        if (!match.Success) return ([], card);
        List<string> blocks = [];
        foreach (string line in match.Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (KeyOf(line) is not null || blocks.Count == 0) blocks.Add(line + "\n");
            else blocks[^1] += line + "\n";
        }

        return (blocks, card[match.Length..]);
    }

    private static string? KeyOf(string block) => Key().Match(block) is { Success: true } key ? key.Groups[1].Value : null;

    private static string? ValueOf(List<string> metadata, string key) => metadata.FirstOrDefault(block => KeyOf(block) == key);

    /// <summary><c>tags: [a, b]</c> or one line each; anything cleverer is left out.</summary>
    private static IEnumerable<string> Tags(string? block)
    {
        if (block is null) return [];
        string value = block[(block.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        return value.StartsWith('[')
            ? value.Trim('[', ']').Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : value.Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith("- ", StringComparison.Ordinal)).Select(line => line[2..].Trim());
    }

    [GeneratedRegex(@"\A---[ \t]*\n(.*?)^---[ \t]*\n?", RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex FrontMatter();

    [GeneratedRegex(@"\A([A-Za-z_][A-Za-z0-9_-]*):", RegexOptions.CultureInvariant)]
    private static partial Regex Key();
}
