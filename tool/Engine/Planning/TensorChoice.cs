using Bnb.Engine.Plans;

namespace Bnb.Engine.Planning;

/// <summary>One form a tensor can have.</summary>
/// <param name="Form">As an override spells it: <c>nf4/32</c>, <c>keep</c>; null for the recipe's own.</param>
/// <param name="Bytes">Of all its tensors in the output.</param>
/// <param name="Error">Its share of the mean squared relative error, in parameters: relative MSE times parameters.</param>
internal sealed record FormChoice(string? Form, long Bytes, double Error);

/// <summary>Tensors that get one form, since some loader fuses them.</summary>
/// <param name="Prefix">What overrides have before the names of tensors: a component of a pipeline and a slash; empty for a model.</param>
/// <param name="Tensors">One or more.</param>
/// <param name="Forms">From small to large; each costs more bytes and errs less.</param>
/// <param name="Own">The recipe's own form, which may be none of those.</param>
internal sealed record TensorChoice(string Prefix, IReadOnlyList<TensorPlan> Tensors, IReadOnlyList<FormChoice> Forms, FormChoice Own)
{
    /// <summary>
    /// The lower convex hull of the forms: those that are the best for some price of a byte. The others are passed over.
    /// </summary>
    public static TensorChoice Of(string prefix, IReadOnlyList<TensorPlan> tensors, IReadOnlyCollection<FormChoice> forms)
    {
        var hull = new List<FormChoice>();
        foreach (FormChoice form in forms.OrderBy(form => form.Bytes).ThenBy(form => form.Error))
        {
            if (hull.Count > 0 && form.Error >= hull[^1].Error) continue;
            while (hull.Count > 1 && Gain(hull[^1], form) >= Gain(hull[^2], hull[^1])) hull.RemoveAt(hull.Count - 1);
            hull.Add(form);
        }

        return new TensorChoice(prefix, tensors, hull, forms.First(form => form.Form is null));
    }

    /// <summary>Error saved per byte spent.</summary>
    public static double Gain(FormChoice from, FormChoice to) => (from.Error - to.Error) / Math.Max(1, to.Bytes - from.Bytes);
}
