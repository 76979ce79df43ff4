using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Recipes;
using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// Which recipe each tensor has. What may be mixed is what every loader reads per tensor: the block size of nf4 and fp4, and
/// leaving tensors as they are; and per module the group size of int4 (<see cref="MixedGroups"/>). Type and double quantization stand once in config.json: transformers 4.57 waits for the
/// companions that the config promises, and its skip list is the only way out.
/// </summary>
internal sealed class OverridePlan
{
    private readonly QuantizeRecipe _recipe;
    private readonly List<PlannedRule> _rules;
    private readonly bool[] _used;
    // Of each name the last rule's place, -1 for none.
    private readonly Dictionary<string, int> _last = new(StringComparer.Ordinal);

    /// <param name="prefix">What patterns may have before the names of tensors; empty for a model.</param>
    /// <exception cref="UserErrorException">OVERRIDE: a form that cannot be mixed with the run's.</exception>
    public OverridePlan(QuantizeRecipe recipe, IReadOnlyList<RecipeOverride> overrides, string prefix)
    {
        _recipe = recipe;
        _rules = [.. overrides.Select(rule => new PlannedRule(rule, new NamePattern(rule.Pattern, prefix), rule.Keep ? null : RecipeOf(recipe, rule)))];
        _used = new bool[_rules.Count];
    }

    /// <summary>The user's patterns with the kept tensors after them, so that the policy covers their skip entries.</summary>
    /// <param name="names">Of all tensors: a tensor whose last matching override is no keep is not excluded.</param>
    public IReadOnlyList<PatternRule> Patterns(IReadOnlyList<PatternRule> given, IEnumerable<string> names)
    {
        if (!_rules.Any(rule => rule.Rule.Keep)) return given;
        return [.. given, .. names.Where(name => Last(name) is { } rule && _rules[rule].Rule.Keep).Select(name => new PatternRule(false, Recipe.ExactPattern(name)))];
    }

    /// <summary>The recipe of a tensor that is quantized.</summary>
    public QuantizeRecipe For(string name) => Last(name) is { } rule && _rules[rule].Recipe is { } recipe ? recipe : _recipe;

    /// <exception cref="UserErrorException">OVERRIDE: a pattern matches no tensor.</exception>
    public void RefuseUnmatched()
    {
        int unused = Array.IndexOf(_used, false);
        if (unused < 0) return;
        throw Error("an override matches no tensor of the checkpoint", _rules[unused].Rule, "correct the pattern; it must fit the whole tensor or module name");
    }

    /// <summary>The last rule that fits; asked several times of every tensor, and a recipe that was planned has a rule for each.</summary>
    private int? Last(string name)
    {
        if (_rules.Count == 0) return null;
        if (!_last.TryGetValue(name, out int last)) _last[name] = last = Search(name);
        return last < 0 ? null : last;
    }

    private int Search(string name)
    {
        string? module = ModuleName.PathOfWeight(name);
        int last = -1;
        for (int i = 0; i < _rules.Count; i++)
        {
            if (!_rules[i].Pattern.IsMatch(name) && !(module is not null && _rules[i].Pattern.IsMatch(module))) continue;
            _used[i] = true;
            last = i;
        }

        return last;
    }

    private static QuantizeRecipe RecipeOf(QuantizeRecipe recipe, RecipeOverride rule)
    {
        if (rule.Type is { } type && type != recipe.Type)
        {
            bool isKnown = DataTypeCatalog.All.SelectMany(family => family.Names).Contains(type);
            throw Error(
                isKnown ? $"{type} cannot be mixed with {recipe.Type}: config.json names one type, and transformers builds every layer by it" : $"there is no data type {DisplayText.Escape(type)}",
                rule, $"use {recipe.Type}{(recipe is Blockwise4Recipe or Int4Recipe ? " with another block size" : "")}, or keep");
        }

        if (rule.Blocksize is not { } blocksize || blocksize == recipe.Blocksize) return recipe;
        return recipe switch
        {
            Blockwise4Recipe blockwise when BlockGrid.IsBlocksize(blocksize) => blockwise.WithBlocksize(blocksize),
            Blockwise4Recipe => throw Error($"there is no block size {blocksize}", rule, "use a power of two from 32 to 4096"),
            Int4Recipe groups when Int4Recipe.GroupSizes.Contains(blocksize) => groups.WithGroupSize(blocksize),
            Int4Recipe => throw Error($"there is no group size {blocksize}", rule, "use 32, 64 or 128"),
            _ => throw Error($"{recipe.Type} has no block size", rule, "use keep"),
        };
    }

    private static UserErrorException Error(string what, RecipeOverride rule, string action) => new(ExitCode.Usage, "OVERRIDE", what)
    {
        Facts = [("--override", DisplayText.Escape(rule.ToString()))],
        Action = action,
    };

    /// <summary>An override with what it says, null to keep a tensor.</summary>
    private sealed record PlannedRule(RecipeOverride Rule, NamePattern Pattern, QuantizeRecipe? Recipe);
}
