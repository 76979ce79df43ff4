
namespace Bnb.Engine.Evaluating.Families;

/// <summary>A linear layer: y = x w^T + b, with the bias where the checkpoint has one.</summary>
/// <param name="Weight">The weight.</param>
/// <param name="Bias">The bias; used when it is stored.</param>
internal sealed record LinearForm(WeightUse Weight, WeightUse Bias)
{
    /// <summary>The layer <paramref name="module"/> with <c>.weight</c> and <c>.bias</c>.</summary>
    public static LinearForm Of(string module, int outputs, int inputs) =>
        new(new WeightUse(module + ".weight", outputs, inputs), WeightUse.Vector(module + ".bias", outputs));

    /// <summary>The same, its weight stored with inputs first.</summary>
    public static LinearForm Conv1D(string module, int outputs, int inputs)
    {
        LinearForm linear = Of(module, outputs, inputs);
        return linear with { Weight = linear.Weight with { InputsFirst = true } };
    }
}
