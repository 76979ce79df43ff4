namespace Bnb.Engine.Evaluating.Operators;

/// <summary>Cosines and sines of rotary position embedding: angle(position, i) = position * inverse frequency i, in float32 as
/// transformers computes them.</summary>
internal sealed class RotaryTable
{
    private readonly float[] _cos;
    private readonly float[] _sin;
    private readonly bool _interleaved;
    private readonly int _pairs;

    /// <param name="frequencies">One inverse frequency per pair of channels.</param>
    /// <param name="factor">Multiplies cosines and sines; 1 but for YaRN and LongRoPE.</param>
    /// <param name="interleaved">Whether a pair is (2i, 2i + 1) or (i, i + half).</param>
    /// <param name="positions">How many positions.</param>
    public RotaryTable(ReadOnlySpan<float> frequencies, float factor, bool interleaved, int positions)
    {
        _pairs = frequencies.Length;
        _interleaved = interleaved;
        _cos = new float[positions * _pairs];
        _sin = new float[positions * _pairs];
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < _pairs; i++)
            {
                float angle = position * frequencies[i];
                _cos[(position * _pairs) + i] = MathF.Cos(angle) * factor;
                _sin[(position * _pairs) + i] = MathF.Sin(angle) * factor;
            }
        }
    }

    /// <summary>Rotates the first 2 * pairs channels of one head; the others stay.</summary>
    public void Rotate(Span<float> head, int position)
    {
        ReadOnlySpan<float> cos = _cos.AsSpan(position * _pairs, _pairs), sin = _sin.AsSpan(position * _pairs, _pairs);
        int step = _interleaved ? 2 : 1, second = _interleaved ? 1 : _pairs;
        for (int i = 0; i < cos.Length; i++)
        {
            float a = head[i * step], b = head[(i * step) + second];
            head[i * step] = (a * cos[i]) - (b * sin[i]);
            head[(i * step) + second] = (b * cos[i]) + (a * sin[i]);
        }
    }
}
