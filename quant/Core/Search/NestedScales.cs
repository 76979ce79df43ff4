using Bnb.Quant.Codes;

namespace Bnb.Quant.Search;

/// <summary>
/// What nested codes decode to for one nested absmax and offset 0: value of the code * nested absmax, one float32
/// multiplication. Zero and what is too small to have a reciprocal are left out. Copies share one table.
/// </summary>
internal readonly struct NestedScales() : IScaleSet
{
    /// <summary>2^-120.</summary>
    private const float Smallest = 7.52316385e-37f;

    /// <summary>By the leading bits of a part of nested absmax, down from 1: about where it stands among the positive values.</summary>
    private static readonly byte[] Places = CreatePlaces();

    private readonly float[] _positive = new float[256];
    private readonly float[] _negative = new float[256];
    private readonly byte[] _positiveCodes = new byte[256];
    private readonly byte[] _negativeCodes = new byte[256];
    private readonly int[] _counts = new int[2];
    private readonly float[] _inverse = new float[1];

    public static bool Refines => false;

    /// <summary>The code whose value is 0.</summary>
    public static byte ZeroCode { get; } = (byte)DynamicCode8.Values.IndexOf(0f);

    /// <summary>Makes this the set of another nested absmax.</summary>
    public void Fill(float nestedAbsmax)
    {
        ReadOnlySpan<float> values = DynamicCode8.Values;
        int positives = 0, negatives = 0;
        for (int code = ZeroCode + 1; code < 256; code++)
        {
            float scale = values[code] * nestedAbsmax;
            if (scale < Smallest) continue;
            _positiveCodes[positives] = (byte)code;
            _positive[positives++] = scale;
        }

        for (int code = ZeroCode - 1; code >= 0; code--)
        {
            float scale = -values[code] * nestedAbsmax;
            if (scale < Smallest) continue;
            _negativeCodes[negatives] = (byte)code;
            _negative[negatives++] = scale;
        }

        _counts[0] = positives;
        _counts[1] = negatives;
        _inverse[0] = 1f / nestedAbsmax;
    }

    public int Count(bool negative) => _counts[negative ? 1 : 0];

    public float At(int index, bool negative) => (negative ? _negative : _positive)[index];

    /// <summary>The nested code of an index.</summary>
    public byte CodeAt(int index, bool negative) => (negative ? _negativeCodes : _positiveCodes)[index];

    public int Floor(double magnitude, bool negative)
    {
        ReadOnlySpan<float> scales = (negative ? _negative : _positive).AsSpan(0, Count(negative));
        int low = 0, high = scales.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (scales[middle] <= magnitude) low = middle;
            else high = middle - 1;
        }

        return low;
    }

    public int Near(float magnitude, bool negative)
    {
        // Negative values are the positive ones without 1. What is too small was left out from below.
        int place = Places[Math.Clamp(PlaceOf(magnitude * _inverse[0]), 0, Places.Length - 1)];
        return Math.Clamp(place - (255 - ZeroCode - Count(negative: false)), 0, Count(negative) - 1);
    }

    /// <summary>32 places for each power of two, the last for 1.</summary>
    private static int PlaceOf(float part) => (24 * 32) + ((BitConverter.SingleToInt32Bits(part) - BitConverter.SingleToInt32Bits(1f)) >> 18);

    private static byte[] CreatePlaces()
    {
        var places = new byte[(24 * 32) + 1];
        foreach (float value in DynamicCode8.Values[(ZeroCode + 2)..])
        {
            for (int i = Math.Max(0, PlaceOf(value)); i < places.Length; i++) places[i]++;
        }

        return places;
    }
}
