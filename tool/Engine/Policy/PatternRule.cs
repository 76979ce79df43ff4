namespace Bnb.Engine.Policy;

/// <summary>One <c>--include</c> or <c>--exclude</c>. The last rule that matches a tensor wins.</summary>
/// <param name="Include">True for <c>--include</c>.</param>
/// <param name="Glob">Pattern over the whole tensor name or module name, see <see cref="Policy.Glob"/>.</param>
internal sealed record PatternRule(bool Include, string Glob);
