namespace Bnb.Quant.Search;

/// <summary>
/// What nested codes decode to for one nested absmax and offset 0: value of the code * nested absmax, one float32
/// multiplication. Zero and what is too small to have a reciprocal are left out.
/// </summary>
internal sealed class NestedScales : IScaleSet
{
    /// <summary>2^-120.</summary>
    private const float Smallest = 7.52316385e-37f;

    private readonly float[] _positive = new float[256];
    private readonly float[] _negative = new float[256];
    private readonly byte[] _positiveCodes = new byte[256];
    private readonly byte[] _negativeCodes = new byte[256];
    private int _positives;
    private int _negatives;

    public static bool Dense => false;

    /// <summary>The code whose value is 0.</summary>
    public byte ZeroCode { get; } = (byte)DynamicCode8.Values.IndexOf(0f);

    /// <summary>Makes this the set of another nested absmax.</summary>
    public void Fill(float nestedAbsmax)
    {
        ReadOnlySpan<float> values = DynamicCode8.Values;
        _positives = _negatives = 0;
        for (int code = ZeroCode + 1; code < 256; code++)
        {
            float scale = values[code] * nestedAbsmax;
            if (scale < Smallest) continue;
            _positiveCodes[_positives] = (byte)code;
            _positive[_positives++] = scale;
        }

        for (int code = ZeroCode - 1; code >= 0; code--)
        {
            float scale = -values[code] * nestedAbsmax;
            if (scale < Smallest) continue;
            _negativeCodes[_negatives] = (byte)code;
            _negative[_negatives++] = scale;
        }
    }

    public int Count(bool negative) => negative ? _negatives : _positives;

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
}
