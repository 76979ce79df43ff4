using System.Text;
using System.Text.Json;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Recipes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using static System.FormattableString;

namespace Bnb.Engine.Quantizing;

/// <summary>The recipe file that <c>init</c> writes: the options of one data type with comments on what they choose.</summary>
internal static class RecipeTemplate
{
    private const int MostKinds = 40;

    /// <summary>The text for a model; as it is, it says what <c>quantize</c> does by itself for that type.</summary>
    public static string For(QuantizeRequest request)
    {
        UnfinishedOutput.Refuse(request.SourcePath);
        IReadOnlyList<QuantizePlan> models = PipelineFolder.IsAt(request.SourcePath) ? PipelinePlan.Make(request).Components : [QuantizePlan.Make(request, RequestSource.Open(request))];
        List<TensorPlan> tensors = [.. models.SelectMany(static model => model.Tensors)];
        double share = 100.0 * models.Sum(static model => model.QuantizedParameterCount) / Math.Max(1, models.Sum(static model => model.ParameterCount));
        var text = new StringBuilder("{\n");
        Comment(text, $"Recipe for {Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(request.SourcePath)))}, for quantize --config.");
        Comment(text, Invariant($"{tensors.Count(static tensor => tensor.Quantization is not null)} of {tensors.Count} tensors are quantized, {share:F1} % of the parameters."));
        Comment(text, "Options on the command line go before those here.");
        text.Append('\n');
        Option(text, "$schema", Recipe.SchemaId);
        Comment(text, "nf4 and fp4 (bitsandbytes, 4 bit), int8 (LLM.int8()), int4 and fp8 (compressed-tensors). Other keys below belong to the type.");
        Option(text, "type", request.Recipe.Type);
        foreach ((string[] comment, string key, object value) in OptionsOf(request.Recipe).Concat(OptionsOfSource(request, models)))
        {
            text.Append('\n');
            foreach (string line in comment) Comment(text, line);
            Option(text, key, value);
        }

        text.Append('\n');
        Comment(text, "Other forms for single modules, the last match counts: \"PATTERN=keep\" leaves one as it is"
            + (request.Recipe is Blockwise4Recipe ? $", \"PATTERN={request.Recipe.Type}/32\" gives it another block size." : "."));
        Comment(text, "Patterns are globs, or re: and a regular expression. plan writes this list by measuring. Quantized here:");
        foreach (QuantizePlan model in models)
        {
            if (model.Component is { } component) Comment(text, $"  in {component}:");
            foreach (string kind in Kinds(model)) Comment(text, "  " + kind);
        }

        return text.Append("  \"overrides\": [],\n}\n").ToString();
    }

    private static IEnumerable<(string[] Comment, string Key, object Value)> OptionsOf(QuantizeRecipe recipe)
    {
        if (recipe is Blockwise4Recipe blockwise)
        {
            yield return (["Values that share a scale, 32 to 4096: fewer err less and take more room."], "blockSize", blockwise.Blocksize);
            yield return (["Quantize the scales too: 0.37 bit less per parameter at block size 64."], "doubleQuant", blockwise.DoubleQuant);
        }
        else if (recipe is Int4Recipe groups)
        {
            yield return (["Values of a row that share a scale: 32, 64 or 128."], "groupSize", groups.GroupSize);
            yield return (["false: a zero point per group as well."], "symmetric", groups.Symmetric);
        }
        else if (recipe is Int8Recipe rows)
        {
            yield return (["Activations of this size or more are multiplied in 16 bit; 0 means never."], "int8Threshold", rows.Threshold);
        }

        if (recipe is Blockwise4Recipe or Int4Recipe or Int8Recipe)
            yield return (["absmax is what the reference does bit for bit; search errs less in the same layout, and takes longer to make."], "scale", "absmax");
    }

    /// <summary>What is read of the source: the options that were given, and of a pipeline which components are quantized.</summary>
    private static IEnumerable<(string[] Comment, string Key, object Value)> OptionsOfSource(QuantizeRequest request, IReadOnlyList<QuantizePlan> models)
    {
        if (models[0].Component is not null)
            yield return (["Components that are quantized, with commas between; the others are copied."], "components", string.Join(',', models.Select(static model => model.Component)));
        if (request.Variant is { } variant) yield return (["The variant of the weight files that is read."], "variant", variant);
        if (request.CastTo is { } dtype) yield return (["What the source is cast to first, as a loader does that is given it."], "dtype", FloatTypes.Name(dtype));
    }

    /// <summary>Modules that are quantized, as globs with how many each is, in model order.</summary>
    private static IEnumerable<string> Kinds(QuantizePlan plan)
    {
        List<(string Glob, int Count)> kinds =
        [
            .. plan.Tensors.Where(tensor => tensor.Quantization is not null)
                .GroupBy(tensor => Kind(ModuleName.PathOfWeight(tensor.Name) ?? tensor.Name), StringComparer.Ordinal)
                .Select(group => (group.Key, group.Count())),
        ];
        IEnumerable<string> shown = kinds.Take(MostKinds).Select(kind => Invariant($"{kind.Glob} ({kind.Count})"));
        return kinds.Count > MostKinds ? shown.Append(Invariant($"and {kinds.Count - MostKinds} more kinds")) : shown;
    }

    /// <summary>A module's path with its numbers as stars.</summary>
    private static string Kind(string path) =>
        string.Join('.', path.Split('.').Select(part => part.Length > 0 && part.All(char.IsAsciiDigit) ? "*" : part));

    // A line break in a name would end the comment.
    private static void Comment(StringBuilder text, string line) => text.Append("  // ").Append(DisplayText.Escape(line)).Append('\n');

    private static void Option(StringBuilder text, string key, object value) =>
        text.Append("  \"").Append(key).Append("\": ").Append(JsonSerializer.Serialize(value)).Append(",\n");
}
