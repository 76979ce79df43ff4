using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Engine.Verifying;

/// <summary>Counts a panel's errors in bins and its codes by their byte, and adds the counts to the panel's result at the end.</summary>
internal ref struct ErrorHistogram
{
    private const int Lanes = 8;

    // A table per lane: neighbours mostly fall into the same bin, and would wait for each other's count.
    private readonly Span<int> _errors;
    private readonly Span<int> _bytes;

    /// <summary>Takes memory for the counts.</summary>
    /// <param name="counts"><see cref="Size"/> zeros.</param>
    public ErrorHistogram(Span<int> counts)
    {
        _errors = counts[..(Lanes * Histograms.ErrorBins)];
        _bytes = counts[(Lanes * Histograms.ErrorBins)..];
    }

    /// <summary>Counts that it needs.</summary>
    public static int Size => (Lanes * Histograms.ErrorBins) + 256;

    /// <summary>Counts the errors of values that share a unit.</summary>
    /// <param name="binsPerError">Bins per unit of error.</param>
    public readonly void CountErrors(ReadOnlySpan<float> source, ReadOnlySpan<float> decoded, float binsPerError)
    {
        const float Last = Histograms.ErrorBins - 1, Middle = Histograms.ErrorBins / 2f;
        ref float sources = ref MemoryMarshal.GetReference(source);
        ref float decodeds = ref MemoryMarshal.GetReference(decoded);
        Span<int> bins = stackalloc int[Lanes];
        Vector256<float> scale = Vector256.Create(binsPerError), middle = Vector256.Create(Middle), last = Vector256.Create(Last);
        int i = 0;
        for (; i <= source.Length - Lanes; i += Lanes)
        {
            // Inside the spans, which are of equal length.
            Vector256<float> error = Vector256.LoadUnsafe(ref decodeds, (nuint)i) - Vector256.LoadUnsafe(ref sources, (nuint)i);
            Vector256<float> bin = (error * scale) + middle;
            // A NaN goes to the last bin: no comparison with it is true.
            bin = Vector256.ConditionalSelect(Vector256.LessThan(bin, last), Vector256.ConditionalSelect(Vector256.GreaterThan(bin, default), bin, default), last);
            Vector256.ConvertToInt32Native(bin).CopyTo(bins);
            for (int lane = 0; lane < Lanes; lane++) _errors[(lane * Histograms.ErrorBins) + bins[lane]]++;
        }

        for (; i < source.Length; i++)
        {
            float bin = ((decoded[i] - source[i]) * binsPerError) + Middle;
            _errors[bin < Last ? Math.Max(0, (int)bin) : (int)Last]++;
        }
    }

    /// <summary>Counts bytes of codes.</summary>
    public readonly void CountBytes(ReadOnlySpan<byte> codes)
    {
        foreach (byte value in codes) _bytes[value]++;
    }

    /// <summary>Adds the errors' counts, and of every byte both halves.</summary>
    public readonly void AddNibblesTo(PanelResult result)
    {
        for (int value = 0; value < 256; value++)
        {
            result.CodeUse[value >> 4] += _bytes[value];
            result.CodeUse[value & 15] += _bytes[value];
        }

        AddErrorsTo(result);
    }

    /// <summary>Adds the errors' counts, and of every byte as a signed number which sixteenth it is in.</summary>
    public readonly void AddSixteenthsTo(PanelResult result)
    {
        for (int value = 0; value < 256; value++) result.CodeUse[((sbyte)value + 128) >> 4] += _bytes[value];
        AddErrorsTo(result);
    }

    /// <summary>Adds the errors' counts only.</summary>
    public readonly void AddErrorsTo(PanelResult result)
    {
        for (int i = 0; i < _errors.Length; i++) result.ErrorCounts[i % Histograms.ErrorBins] += _errors[i];
    }
}
