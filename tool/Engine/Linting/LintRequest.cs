using Bnb.Engine.Architectures;

namespace Bnb.Engine.Linting;

/// <summary>The options of <c>lint</c> as values.</summary>
/// <param name="Path">A checkpoint folder or file, or the folder of a pipeline.</param>
/// <param name="Consumers">Who is to load it; empty: those that can load the type and have the class.</param>
internal sealed record LintRequest(string Path, IReadOnlyList<LoadTarget> Consumers);
