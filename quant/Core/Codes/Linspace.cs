namespace Bnb.Quant.Codes;

/// <summary>Evenly spaced float32 values with the roundings of <c>torch.linspace</c>, on which the code tables rest.</summary>
internal static class Linspace
{
    /// <summary>
    /// <paramref name="count"/> values from <paramref name="start"/> to <paramref name="end"/>, both included: start + step*i
    /// in the lower half, end - step*(count-1-i) in the upper, each a single fused float32 operation. One value gives the
    /// start. Fused, because only that reproduces the published dynamic map bit for bit.
    /// </summary>
    public static float[] Of(float start, float end, int count)
    {
        var values = new float[count];
        float step = count > 1 ? (end - start) / (count - 1) : 0;
        for (int i = 0; i < count; i++)
        {
            values[i] = i < count / 2
                ? MathF.FusedMultiplyAdd(step, i, start)
                : MathF.FusedMultiplyAdd(-step, count - 1 - i, end);
        }

        return values;
    }
}
