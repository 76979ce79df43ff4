using System.Runtime.Intrinsics;

namespace Bnb.Quant.Numerics;

// Lanes: a stored pair (first value at the lower address) becomes one 32-bit lane in each of two float vectors, so that the
// two codes of a byte always sit in the same lane and packing needs no movement between lanes.
internal partial interface IElement
{
    /// <summary>Lanewise maximum of <paramref name="running"/> and the magnitudes (bits without sign) of 16 stored bytes.
    /// Magnitudes order like the values; infinities and NaN come out on top.</summary>
    static abstract Vector128<byte> MaxMagnitude(Vector128<byte> running, Vector128<byte> stored);

    /// <summary>The largest lane of <see cref="MaxMagnitude(Vector128{byte}, Vector128{byte})"/>.</summary>
    static abstract uint Reduce(Vector128<byte> running);

    /// <summary>Widens the 8 values at <paramref name="source"/>: those of even index and those of odd index, each in order.
    /// Exact for finite values. Reads 8 * Size bytes, any alignment.</summary>
    static abstract void LoadPairs(ref byte source, out Vector128<float> even, out Vector128<float> odd);
}

internal readonly partial struct F32Element
{
    public static Vector128<byte> MaxMagnitude(Vector128<byte> running, Vector128<byte> stored) =>
        Vector128.Max(running.AsInt32(), stored.AsInt32() & Vector128.Create(0x7FFF_FFFF)).AsByte();

    public static uint Reduce(Vector128<byte> running)
    {
        Vector128<int> lanes = running.AsInt32();
        lanes = Vector128.Max(lanes, Vector128.Shuffle(lanes, Vector128.Create(2, 3, 0, 1)));
        lanes = Vector128.Max(lanes, Vector128.Shuffle(lanes, Vector128.Create(1, 0, 3, 2)));
        return (uint)lanes.ToScalar();
    }

    public static void LoadPairs(ref byte source, out Vector128<float> even, out Vector128<float> odd)
    {
        // A pair is one 64-bit lane; narrowing keeps the lower half of each, which after a shift is the upper half.
        Vector128<ulong> low = Vector128.LoadUnsafe(ref source).AsUInt64();
        Vector128<ulong> high = Vector128.LoadUnsafe(ref source, 16).AsUInt64();
        even = Vector128.Narrow(low, high).AsSingle();
        odd = Vector128.Narrow(low >>> 32, high >>> 32).AsSingle();
    }
}

internal readonly partial struct F16Element
{
    /// <summary>Where sign, exponent and fraction of a binary16 land in a binary32 after an arithmetic shift right by 3 from
    /// the upper half of a lane. Multiplying by <see cref="Rebias"/> then gives the value.</summary>
    private const int RebiasMask = unchecked((int)0x8FFF_E000);

    public static Vector128<byte> MaxMagnitude(Vector128<byte> running, Vector128<byte> stored) =>
        Halfwords.MaxMagnitude(running, stored);

    public static uint Reduce(Vector128<byte> running) => Halfwords.Reduce(running);

    public static void LoadPairs(ref byte source, out Vector128<float> even, out Vector128<float> odd)
    {
        Vector128<int> pairs = Vector128.LoadUnsafe(ref source).AsInt32();
        Vector128<int> mask = Vector128.Create(RebiasMask);
        even = (((pairs << 16) >> 3) & mask).AsSingle() * Vector128.Create(Rebias);
        odd = ((pairs >> 3) & mask).AsSingle() * Vector128.Create(Rebias);
    }
}

internal readonly partial struct BF16Element
{
    public static Vector128<byte> MaxMagnitude(Vector128<byte> running, Vector128<byte> stored) =>
        Halfwords.MaxMagnitude(running, stored);

    public static uint Reduce(Vector128<byte> running) => Halfwords.Reduce(running);

    public static void LoadPairs(ref byte source, out Vector128<float> even, out Vector128<float> odd)
    {
        Vector128<uint> pairs = Vector128.LoadUnsafe(ref source).AsUInt32();
        even = (pairs << 16).AsSingle();
        odd = (pairs & Vector128.Create(0xFFFF_0000u)).AsSingle();
    }
}

/// <summary>Magnitudes of 16-bit formats, shared by the two of them and by all widths.</summary>
internal static class Halfwords
{
    /// <inheritdoc cref="IElement.MaxMagnitude(Vector128{byte}, Vector128{byte})"/>
    public static Vector128<byte> MaxMagnitude(Vector128<byte> running, Vector128<byte> stored) =>
        Vector128.Max(running.AsInt16(), stored.AsInt16() & Vector128.Create((short)0x7FFF)).AsByte();

    /// <summary>The largest of 8 magnitudes. They have no sign bit, so the signed maximum is the unsigned one.</summary>
    public static uint Reduce(Vector128<byte> running)
    {
        Vector128<short> lanes = running.AsInt16();
        lanes = Vector128.Max(lanes, Vector128.Shuffle(lanes.AsInt64(), Vector128.Create(1L, 0L)).AsInt16());
        lanes = Vector128.Max(lanes, Vector128.Shuffle(lanes.AsInt32(), Vector128.Create(1, 0, 3, 2)).AsInt16());
        uint pair = lanes.AsUInt32().ToScalar();
        return Math.Max(pair & 0xFFFF, pair >> 16);
    }
}
