using System.Numerics;
using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Search;

/// <summary>One block after the other as the search takes it: widened to float32, padded with zeros to a multiple of 16, with
/// its weights. Not for several threads at once.</summary>
internal sealed class LoadedBlock<TTable>(ElementType type, int blocksize, KernelPath path)
    where TTable : struct, ISearchTable
{
    private readonly float[] _values = new float[Padded(blocksize)];
    private readonly float[] _weights = new float[Padded(blocksize)];
    private readonly float[] _decoded = new float[Padded(blocksize)];
    private readonly byte[] _codes = new byte[Padded(blocksize)];

    /// <summary>Values of the loaded block, without padding.</summary>
    public int Count { get; private set; }

    /// <summary>Its largest magnitude; NaN or infinity when it holds one.</summary>
    public float Absmax { get; private set; }

    private Span<float> Values => _values.AsSpan(0, Padded(Count));

    /// <summary>Takes block number <paramref name="block"/> of a run. Returns whether its values are finite.</summary>
    public bool Load(ReadOnlySpan<byte> source, int block)
    {
        int size = type.Size(), start = block * blocksize * size;
        Count = Math.Min(blocksize, (source.Length - start) / size);
        Widen.ToSingle(type, source.Slice(start, Count * size), _values.AsSpan(0, Count));
        Values[Count..].Clear();
        Absmax = LargestMagnitude(Values);
        return float.IsFinite(Absmax);
    }

    /// <summary>Rounds the values of the loaded block to float16, as LLM.int8() does. Returns whether they stay finite.</summary>
    public bool RoundToHalf()
    {
        foreach (ref float value in Values) value = (float)(Half)value;
        Absmax = LargestMagnitude(Values);
        return float.IsFinite(Absmax);
    }

    /// <summary>The best scale for the loaded block; <see cref="ScaleChoice.None"/> where absmax is below 2^-100 or above
    /// 2^100, since its squares leave what float32 and float64 can hold.</summary>
    /// <param name="start">Index in the run of the block's first value.</param>
    public ScaleChoice Search(ScaleFinder find, ColumnImportance importance, long start) => Absmax is >= 7.8886090e-31f and <= 1.2676506e30f
        ? find(Values, importance.Of(start, Count, _weights.AsSpan(0, Padded(Count))), Absmax)
        : ScaleChoice.None;

    /// <summary>The codes of the block under a scale that is not 0; the place after the last value has that of 0.</summary>
    public ReadOnlySpan<byte> Encode(float scale)
    {
        float reciprocal = 1f / scale;
        Span<byte> codes = _codes.AsSpan(0, Values.Length);
        if (float.IsInfinity(reciprocal))
        {
            for (int i = 0; i < codes.Length; i++) codes[i] = TTable.Encode(_values[i] / scale);
        }
        else
        {
            ScaleFinders.Encode<TTable>(path, Values, reciprocal, _decoded, codes);
        }

        return codes;
    }

    private static int Padded(int count) => (count + 15) & ~15;

    private static float LargestMagnitude(ReadOnlySpan<float> values)
    {
        // Bits without the sign order like magnitudes, those of NaN above all. The length is a multiple of every vector's.
        Vector<int> running = Vector<int>.Zero, mask = new(0x7FFF_FFFF);
        foreach (Vector<int> vector in MemoryMarshal.Cast<float, Vector<int>>(values)) running = Vector.Max(running, vector & mask);
        int largest = 0;
        for (int lane = 0; lane < Vector<int>.Count; lane++) largest = Math.Max(largest, running[lane]);
        return BitConverter.Int32BitsToSingle(largest);
    }
}
