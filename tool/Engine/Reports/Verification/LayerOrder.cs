using Bnb.Engine.Text;
using Bnb.Engine.Verifying;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The order in which readers want layers: what needs attention first.</summary>
internal static class LayerOrder
{
    /// <summary>Failed layers first, each part by falling weight error; equal ones stay in the order of the checkpoint.</summary>
    public static IReadOnlyList<LayerResult> WorstFirst(IEnumerable<LayerResult> layers) =>
        [.. layers.OrderBy(static layer => layer.Passed).ThenByDescending(static layer => Badness(layer.Weight.RelativeRmse))];

    /// <summary>The order of the model: layer 2 before layer 10, whatever order the files have.</summary>
    public static IReadOnlyList<LayerResult> InModel(IEnumerable<LayerResult> layers) =>
        [.. layers.OrderBy(static layer => layer.Name, NumberedNames.Order)];

    /// <summary>An error that is not a number is worse than any other; the default order would call it the best.</summary>
    public static double Badness(double error) => double.IsNaN(error) ? double.PositiveInfinity : error;
}
