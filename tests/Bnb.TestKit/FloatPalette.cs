namespace Bnb.TestKit;

/// <summary>Values that numeric code gets wrong, and seeded generators of whole blocks.</summary>
public static class FloatPalette
{
    /// <summary>Zeros of both signs, subnormals, the neighbourhood of where 1/x overflows, ones, the largest values.</summary>
    public static IReadOnlyList<float> Finite { get; } =
    [
        0f, -0f, float.Epsilon, -float.Epsilon, 3 * float.Epsilon, 1.1754942e-38f, -1.1754942e-38f, 1.1754944e-38f,
        2.9387359e-39f, 2.938736e-39f, 2.9387362e-39f, -2.9387374e-39f, 5.9604645e-8f, 6.1035156e-5f, 6.0975552e-5f,
        1f, -1f, MathF.BitIncrement(1f), MathF.BitDecrement(1f), 0.5f, -0.5f, 448f, 65504f, -65504f, 3.3895314e38f,
        float.MaxValue, float.MinValue,
    ];

    /// <summary>NaN of both signs and with a payload, and the infinities.</summary>
    public static IReadOnlyList<float> NonFinite { get; } =
    [
        float.NaN, -float.NaN, BitConverter.UInt32BitsToSingle(0x7FFF_FFFF), float.PositiveInfinity, float.NegativeInfinity,
    ];

    /// <summary>One value of the standard normal distribution (Box and Muller).</summary>
    public static float Normal(Random random) =>
        (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));

    /// <summary>Values of the standard normal distribution times <paramref name="scale"/>.</summary>
    public static float[] Normals(int seed, int count, float scale = 1f)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = Normal(random) * scale;
        return values;
    }

    /// <summary>
    /// A run of values whose character changes every few dozen: normal, all zero, tiny, with a few odd finite values, with
    /// outliers, any finite bit pattern, and where allowed with NaN and infinities.
    /// </summary>
    public static float[] Mixed(Random random, int count, bool nonFinite)
    {
        var values = new float[count];
        int kind = 0, left = 0;
        for (int i = 0; i < count; i++)
        {
            if (left-- == 0)
            {
                kind = random.Next(nonFinite ? 8 : 6);
                left = random.Next(1, 150);
            }

            values[i] = kind switch
            {
                0 => Normal(random) * 0.02f,
                1 => random.Next(2) == 0 ? 0f : -0f,
                2 => Normal(random) * 1e-39f,
                3 => random.Next(4) == 0 ? Finite[random.Next(Finite.Count)] : Normal(random),
                4 => random.Next(30) == 0 ? Normal(random) * 1e4f : Normal(random),
                5 => AnyFinite(random),
                _ => random.Next(20) == 0 ? NonFinite[random.Next(NonFinite.Count)] : Normal(random),
            };
        }

        return values;
    }

    private static float AnyFinite(Random random)
    {
        float value = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
        return float.IsFinite(value) ? value : 0.25f;
    }
}
