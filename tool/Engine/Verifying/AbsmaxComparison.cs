using Bnb.Quant.Backends;
using Bnb.Quant.Nested;

namespace Bnb.Engine.Verifying;

/// <summary>Compares stored absmax, plain or double-quantized, with what the definition makes of the source.</summary>
internal static class AbsmaxComparison
{
    // The step of the 65536-entry table over [-1, 1] through which the library's CPU path rounds nested codes.
    private const float CpuTableStep = 2f / 65535;

    // Half of the widest step between neighbours of the nested code table, 0.9 / 64, and a little for roundings.
    private const float WidestHalfStep = 0.0072f;

    // Two roundings to bfloat16, each within half a step of 2^-8.
    private const float BFloat16Step = 1f / 128;

    /// <param name="Differing">Values, or nested codes and nested absmax values, that differ.</param>
    /// <param name="Excused">Nested codes off by what the library's CPU table hides.</param>
    /// <param name="NestedScalesDiffering">Of the differing, nested absmax values.</param>
    public readonly record struct Counts(long Differing, long Excused, long NestedScalesDiffering);

    /// <summary>Stored as float32: equal bits or not.</summary>
    public static Counts ComparePlain(ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
    {
        long differing = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            // Both zeros are the same scale.
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(found[i]) && expected[i] != found[i]) differing++;
        }

        return new Counts(differing, 0, 0);
    }

    /// <summary>
    /// Double-quantized: the definition's codes are made with the file's own offset, so that a mean summed in another order
    /// shows as one difference (in the offset) and not as many.
    /// </summary>
    /// <param name="absmax">By the definition; begins at a nested block.</param>
    /// <param name="offset">The file's nested_offset.</param>
    public static Counts CompareNested(
        ReadOnlySpan<float> absmax, float offset, ReadOnlySpan<byte> foundCodes, ReadOnlySpan<float> foundNested, ReadOnlySpan<float> map, KernelPath path)
    {
        var codes = new byte[absmax.Length];
        var nested = new float[foundNested.Length];
        NestedAbsmax.Quantize(absmax, offset, codes, nested, path);
        long differing = 0, excused = 0, scales = 0;
        for (int i = 0; i < nested.Length; i++)
        {
            if (nested[i] != foundNested[i]) scales++;
        }

        for (int i = 0; i < codes.Length; i++)
        {
            if (codes[i] == foundCodes[i]) continue;
            int apart = Math.Abs(codes[i] - foundCodes[i]);
            if (nested[i / NestedAbsmax.Blocksize] == 0 || (apart > 1 && Math.Abs(map[codes[i]] - map[foundCodes[i]]) < CpuTableStep)
                || (apart == 1 && IsTie(absmax[i] - offset, nested[i / NestedAbsmax.Blocksize], map, codes[i], foundCodes[i]))) excused++;
            else differing++;
        }

        return new Counts(differing + scales, excused, scales);
    }

    /// <summary>
    /// The same for what bitsandbytes saved after a forward on a CPU. It had decoded the scales of an earlier double quantization,
    /// rounded them to bfloat16 and quantized them again, so that codes and nested absmax say little; a scale is excused as
    /// long as it decodes to what these steps together may make of the definition's.
    /// </summary>
    /// <param name="found">The scales as they decode.</param>
    public static Counts CompareNestedBFloat16(
        ReadOnlySpan<float> absmax, float offset, ReadOnlySpan<byte> foundCodes, ReadOnlySpan<float> found, KernelPath path)
    {
        var codes = new byte[absmax.Length];
        var nested = new float[(absmax.Length + NestedAbsmax.Blocksize - 1) / NestedAbsmax.Blocksize];
        NestedAbsmax.Quantize(absmax, offset, codes, nested, path);
        long differing = 0, excused = 0;
        for (int i = 0; i < codes.Length; i++)
        {
            if (codes[i] == foundCodes[i]) continue;
            float limit = (2 * WidestHalfStep * nested[i / NestedAbsmax.Blocksize]) + (BFloat16Step * absmax[i]);
            if (Math.Abs(absmax[i] - found[i]) <= limit) excused++;
            else differing++;
        }

        return new Counts(differing, excused, 0);
    }

    /// <summary>Near enough to the middle of two neighbouring codes that the table's step decides.</summary>
    private static bool IsTie(float value, float nested, ReadOnlySpan<float> map, int a, int b) =>
        Math.Abs((value / nested) - ((map[a] + map[b]) / 2)) <= CpuTableStep;
}
