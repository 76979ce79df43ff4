using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

/// <summary>
/// Decodes whole groups of 32 values of one block, for one vector width. The 16 products quant_map[code] * absmax are
/// computed and rounded once and then selected by code, so the result has the bits of computing each value by itself.
/// </summary>
internal interface ICodeLookup
{
    /// <summary>Writes 32 * <paramref name="groups"/> values, rounded to the stored format, as stored.</summary>
    /// <param name="map">The 16 values of the type.</param>
    /// <param name="absmax">Of the block that all the values belong to.</param>
    /// <param name="packed">16 * groups bytes, first value in the high nibble.</param>
    /// <param name="destination">32 * groups values of TElement, any alignment.</param>
    /// <param name="groups">How many times 32 values; 0 is allowed.</param>
    static abstract void ToStored<TElement>(
        ref float map, float absmax, ref byte packed, ref byte destination, int groups)
        where TElement : struct, IElement;

    /// <summary>The same values, rounded to the stored format and widened back to float32.</summary>
    static abstract void ToSingle<TElement>(
        ref float map, float absmax, ref byte packed, ref float destination, int groups)
        where TElement : struct, IElement;

    /// <summary>Whether <see cref="Pairs"/> and <see cref="DotPairs"/> exist for this width.</summary>
    static virtual bool HasPairs => false;

    /// <summary>
    /// As <see cref="ToSingle"/>, but over any number of blocks, and each 32 values come as the 16 of even index, then the 16
    /// of odd index: the order in which their codes are found, which a sum of products may use as well as any other.
    /// </summary>
    /// <param name="map">The 16 values of the type.</param>
    /// <param name="absmax">Of the first value's block; the blocks after it follow.</param>
    /// <param name="blockGroups">Groups in a block.</param>
    /// <param name="ahead">Groups of the first block that come before the first value.</param>
    /// <param name="packed">16 * groups bytes.</param>
    /// <param name="destination">32 * groups values.</param>
    /// <param name="groups">How many times 32 values.</param>
    static virtual unsafe void Pairs<TElement>(
        float* map, float* absmax, int blockGroups, int ahead, byte* packed, float* destination, int groups)
        where TElement : struct, IElement => throw new NotSupportedException();

    /// <summary>The sum of the values of <see cref="Pairs"/> times x, which is in the same order. Float32 sums in lanes, fused;
    /// no chain of additions is longer than groups + 8.</summary>
    static virtual unsafe float DotPairs<TElement>(
        float* map, float* absmax, int blockGroups, int ahead, byte* packed, float* x, int groups)
        where TElement : struct, IElement => throw new NotSupportedException();
}
