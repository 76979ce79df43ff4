namespace Bnb.Quant;

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
}
