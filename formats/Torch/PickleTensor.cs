using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>A tensor as the arguments of its rebuild function describe it. Nothing of it is checked but their kinds.</summary>
/// <param name="Storage">Where its elements are.</param>
/// <param name="DType">How they are stored; null when there is no name for it here.</param>
/// <param name="Offset">Its first element in the storage.</param>
/// <param name="Sizes">Its dimensions, outermost first.</param>
/// <param name="Strides">Elements from one index to the next, for each dimension.</param>
/// <param name="Unsupported">Why it cannot be read, or null.</param>
internal sealed record PickleTensor(
    PickleStorage? Storage, DType? DType, long Offset, long[] Sizes, long[] Strides, string? Unsupported = null);
