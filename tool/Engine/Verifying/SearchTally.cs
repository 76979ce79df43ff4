using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Quant.Backends;

namespace Bnb.Engine.Verifying;

/// <summary>Squared errors of searched scales and of those by absmax, and sampled blocks whose scale was proven the best.</summary>
internal sealed class SearchTally
{
    /// <summary>Sum of weight * (value - decoded)^2 of what is stored.</summary>
    public double Stored { get; private set; }

    /// <summary>The same for scales by absmax.</summary>
    public double Absmax { get; private set; }

    /// <summary>Blocks, groups or rows whose scale was compared with all others.</summary>
    public long Proven { get; set; }

    /// <summary>Of those, with a better scale than the stored one.</summary>
    public long Beaten { get; set; }

    /// <summary>Adds a piece.</summary>
    /// <param name="stored">The source's values as the kernel takes them.</param>
    /// <param name="first">Index in the weight of the first value.</param>
    public void Add(
        Quantization form, ReadOnlySpan<byte> stored, long first, ReadOnlySpan<float> source, ReadOnlySpan<float> decoded, KernelPath path)
    {
        var byAbsmax = new float[source.Length];
        RoundTrip.Of(form with { Scale = ScaleRule.Absmax }, stored, first, byAbsmax, path);
        for (int i = 0; i < source.Length; i++)
        {
            double weight = form.Importance?[(int)((first + i) % form.Columns)] ?? 1;
            double found = source[i] - decoded[i], other = source[i] - byAbsmax[i];
            Stored += weight * found * found;
            Absmax += weight * other * other;
        }
    }

    /// <summary>Adds the next panel's share.</summary>
    public void Merge(SearchTally next)
    {
        Stored += next.Stored;
        Absmax += next.Absmax;
        Proven += next.Proven;
        Beaten += next.Beaten;
    }
}
