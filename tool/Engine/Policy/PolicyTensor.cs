namespace Bnb.Engine.Policy;

/// <summary>What the policy needs to know about one tensor of the source checkpoint.</summary>
/// <param name="Name">Key in the checkpoint, untrusted text.</param>
/// <param name="Shape">Dimensions, outermost first, as stored.</param>
/// <param name="IsFloat">True for F16, BF16, F32 and F64.</param>
/// <param name="ByteCount">Stored size in bytes.</param>
internal sealed record PolicyTensor(string Name, IReadOnlyList<long> Shape, bool IsFloat, long ByteCount)
{
    /// <summary>Cut out of a stack of experts; a class that has the stack need not know its name.</summary>
    public bool IsSplit { get; init; }
}
