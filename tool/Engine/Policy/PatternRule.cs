namespace Bnb.Engine.Policy;

/// <summary>One <c>--include</c> or <c>--exclude</c>. The last rule that matches a tensor wins.</summary>
/// <param name="Include">True for <c>--include</c>.</param>
/// <param name="Glob">Pattern over the whole tensor name or module name, see <see cref="NamePattern"/>.</param>
internal sealed record PatternRule(bool Include, string Glob)
{
    /// <summary>The option it was given with.</summary>
    public string Option => Include ? "--include" : "--exclude";

    /// <summary>The pattern, compiled.</summary>
    /// <param name="prefix">What may stand before the names, see <see cref="NamePattern"/>.</param>
    /// <exception cref="Names.PolicyException">PATTERN-INVALID.</exception>
    public NamePattern Compile(string prefix = "") => NamePattern.Of(Glob, Option, prefix);
}
