using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>Memory for what lives within one stage, by purpose; grows to the largest use and is used again.</summary>
internal sealed class Workspace
{
    private readonly Dictionary<Slot, float[]> _arrays = [];

    /// <summary>What a matrix is for; two of one purpose never live together.</summary>
    public enum Slot
    {
        Normed,
        Query,
        Key,
        Value,
        Narrow,
        Packed,
        Mixed,
        Output,
        Gate,
        Up,
        Gathered,
        Logits,
    }

    /// <summary>A matrix with anything in it.</summary>
    public TokenMatrix Take(Slot slot, int rows, int width)
    {
        int length = checked(rows * width);
        if (!_arrays.TryGetValue(slot, out float[]? values) || values.Length < length)
            _arrays[slot] = values = GC.AllocateUninitializedArray<float>(length);
        return new TokenMatrix(values, 0, rows, width);
    }
}
