using Bnb.Engine.Architectures;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Splitting;

/// <summary>
/// How the matrices of a block's stacks lie, told by their shapes: gate and up together are [experts, 2 I, H] beside a down of
/// [experts, H, I], or [experts, H, 2 I] beside [experts, I, H]. No shapes fit both.
/// </summary>
internal static class StackLayout
{
    /// <summary>Whether the matrices lie the other way round, [in, out]; null when the shapes fit neither.</summary>
    /// <param name="first">The stack of gate and up, or of up alone.</param>
    /// <param name="parts">Weights of which an expert's matrix in it consists: 1 or 2.</param>
    /// <param name="down">The stack of down.</param>
    public static bool? IsTransposed(TensorShape first, int parts, TensorShape down)
    {
        if (first.Rank != 3 || down.Rank != 3 || first[0] != down[0] || first.ElementCount == 0 || down.ElementCount == 0) return null;
        if (first[2] == down[1] && first[1] == parts * down[2]) return false;
        return parts == 2 && first[1] == down[2] && first[2] == parts * down[1] ? true : null;
    }

    /// <summary>The matrices of a stack, expert by expert.</summary>
    public static IEnumerable<ExpertPart> Parts(ExpertStack stack, TensorShape shape, bool isTransposed)
    {
        (long rows, long columns) = isTransposed ? (shape[2], shape[1]) : (shape[1], shape[2]);
        long height = rows / stack.Parts.Count;
        for (long expert = 0; expert < shape[0]; expert++)
        {
            for (int part = 0; part < stack.Parts.Count; part++)
            {
                long first = (expert * rows * columns) + (part * height * (isTransposed ? 1 : columns));
                yield return new ExpertPart(stack.NameOf(expert, part), height, columns, first, isTransposed ? rows : 0);
            }
        }
    }
}
