using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Plans;

/// <summary>What a run tells config.json beside its recipe.</summary>
/// <param name="ComputeDType">As torch names it.</param>
/// <param name="SkipModules">Modules left alone.</param>
/// <param name="Groups">int4: modules whose groups have another size than the recipe's.</param>
internal sealed record ConfigContent(string ComputeDType, IReadOnlyList<string> SkipModules, IReadOnlyList<TargetedGroup> Groups);
