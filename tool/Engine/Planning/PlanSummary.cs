using Bnb.Engine.Recipes;

namespace Bnb.Engine.Planning;

/// <summary>A point of the way from the smallest form to the largest.</summary>
/// <param name="Bytes">Of the weight files.</param>
/// <param name="Error">Relative RMSE over the weights that can be quantized.</param>
internal sealed record PlanPoint(long Bytes, double Error);

/// <summary>What <c>plan</c> chose.</summary>
/// <param name="Output">The dry run of the recipe.</param>
/// <param name="Overrides">Tensors that differ from the recipe's own form.</param>
/// <param name="ExpectedError">Relative RMSE over the weights that can be quantized; those that are kept count with none.</param>
/// <param name="Curve">Sizes and errors that can be had, from small to large.</param>
/// <param name="Uniform">The recipe without overrides.</param>
internal sealed record PlanSummary(
    PlannedOutput Output, IReadOnlyList<RecipeOverride> Overrides, double ExpectedError, IReadOnlyList<PlanPoint> Curve, PlanPoint Uniform)
{
    /// <summary>Bytes of the weight files, headers included.</summary>
    public long Bytes => Output.FileBytes;

    /// <summary>Bits of all tensors over all parameters.</summary>
    public double BitsPerParameter => Output.BitsPerParameter;
}
