namespace Bnb.Formats.Torch;

/// <summary>A tuple of a pickle.</summary>
/// <param name="Items">Its values.</param>
/// <param name="Depth">1 and the depth of the deepest tuple in it.</param>
internal sealed record PickleTuple(PickleValue[] Items, int Depth);
