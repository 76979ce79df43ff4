namespace Bnb.Engine.Policy.Names;

/// <summary>An expert stack stored as one tensor, which bitsandbytes' Linear4bit cannot hold; it is left unquantized.</summary>
/// <param name="Name">Tensor name.</param>
/// <param name="ByteCount">Stored size in bytes.</param>
/// <param name="Shape">Dimensions, usually [experts, in, out] or [experts, out, in].</param>
internal sealed record FusedExperts(string Name, long ByteCount, IReadOnlyList<long> Shape);
