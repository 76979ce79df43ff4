using System.Globalization;
using Bnb.Engine.Policy;

namespace Bnb.Engine.Recipes;

/// <summary>
/// A form for some tensors that is not the run's: <c>PATTERN=keep</c>, <c>PATTERN=nf4/32</c>, <c>PATTERN=nf4</c> or
/// <c>PATTERN=/32</c>. Of several that match, the last counts.
/// </summary>
/// <param name="Pattern">A glob, or <c>re:</c> and a regular expression; over the tensor's or its module's name.</param>
/// <param name="Type">nf4, fp4, int8 or int4; null for the run's type. Not read when the tensor is kept.</param>
/// <param name="Blocksize">Values that share a scale; null for the run's.</param>
/// <param name="Keep">Leave the tensor as it is.</param>
internal sealed record RecipeOverride(string Pattern, string? Type, int? Blocksize, bool Keep)
{
    private const string KeepWord = "keep";

    /// <summary>Reads the text form.</summary>
    /// <exception cref="FormatException">It is none; the message says what is wrong with it.</exception>
    public static RecipeOverride Parse(string text)
    {
        // Patterns may hold an equals sign, forms cannot.
        int equals = text.LastIndexOf('=');
        if (equals <= 0 || equals == text.Length - 1) throw new FormatException($"'{text}' is not PATTERN=FORM; FORM is keep, or a type, a block size or both as in nf4/32");
        string pattern = text[..equals], form = text[(equals + 1)..];
        try
        {
            _ = new NamePattern(pattern);
        }
        catch (ArgumentException error)
        {
            throw new FormatException($"'{pattern}' is no pattern: {error.Message}", error);
        }

        if (form == KeepWord) return new RecipeOverride(pattern, null, null, Keep: true);
        string[] parts = form.Split('/');
        int blocksize = 0;
        bool isForm = parts.Length <= 2 && (parts.Length == 1 || int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out blocksize))
            && (parts[0].Length > 0 || blocksize > 0);
        if (!isForm) throw new FormatException($"'{form}' is not keep, a type, a block size or both as in nf4/32");
        return new RecipeOverride(pattern, parts[0].Length == 0 ? null : parts[0], parts.Length == 2 ? blocksize : null, Keep: false);
    }

    /// <summary>The form alone: <c>keep</c>, <c>nf4/32</c>.</summary>
    public string Form => Keep ? KeepWord : Type + (Blocksize is { } size ? $"/{size.ToString(CultureInfo.InvariantCulture)}" : "");

    /// <inheritdoc/>
    public override string ToString() => $"{Pattern}={Form}";
}
