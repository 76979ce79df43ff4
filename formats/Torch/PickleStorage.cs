namespace Bnb.Formats.Torch;

/// <summary>A reference to a storage. Nothing of it is checked but the kinds of its parts.</summary>
/// <param name="Key">The storage's key in the file; no path.</param>
/// <param name="Type">The class it was saved as.</param>
/// <param name="Count">Elements it claims to have.</param>
/// <param name="ViewOffset">First element of the part that is meant, in the oldest files.</param>
/// <param name="ViewCount">Elements of that part; null for all.</param>
internal sealed record PickleStorage(string Key, GlobalName Type, long Count, long ViewOffset = 0, long? ViewCount = null);
