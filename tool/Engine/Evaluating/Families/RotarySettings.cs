
namespace Bnb.Engine.Evaluating.Families;

/// <summary>
/// The rotary embedding that a config describes: <c>rope_parameters</c>, or <c>rope_theta</c> and <c>rope_scaling</c> of older
/// files. Frequencies are those of transformers' modeling_rope_utils, float32 step by step.
/// </summary>
internal static class RotarySettings
{
    private const double DefaultTheta = 10000;

    /// <param name="config">The model's config.</param>
    /// <param name="headWidth">Channels of a query head that may be rotated; a partial factor takes its share of them.</param>
    /// <param name="interleaved">How channels are paired.</param>
    /// <param name="layerType">Which of several settings, where <c>rope_parameters</c> has one per type of layer.</param>
    public static RotaryForm Read(ConfigReader config, int headWidth, bool interleaved = false, string? layerType = null)
    {
        ConfigReader? parameters = config.Object("rope_parameters");
        if (layerType is not null) parameters = parameters?.Object(layerType) ?? parameters;
        ConfigReader scaling = parameters ?? config.Object("rope_scaling") ?? config;
        double theta = parameters?.OptionalNumber("rope_theta") ?? config.OptionalNumber("rope_theta", "rotary_emb_base") ?? DefaultTheta;
        return Make(config, scaling, headWidth, theta, interleaved);
    }

    /// <summary>With another base and no scaling: the local layers of Gemma 3's older configs.</summary>
    public static RotaryForm Unscaled(int headWidth, double theta) => new(Plain(headWidth, theta), 1);

    private static RotaryForm Make(ConfigReader config, ConfigReader scaling, int headWidth, double theta, bool interleaved)
    {
        double partial = scaling.OptionalNumber("partial_rotary_factor") ?? config.OptionalNumber("partial_rotary_factor", "rotary_pct") ?? 1;
        if (partial is <= 0 or > 1) throw config.Unsupported("partial_rotary_factor", $"{partial}");
        int width = (int)(headWidth * partial);
        if (width < 2 || width % 2 != 0) throw config.Unsupported("rotary channels", $"{width}");
        float[] plain = Plain(width, theta);
        string? type = ReferenceEquals(scaling, config) ? "default" : scaling.Text("rope_type", "type") ?? "default";
        (float[] frequencies, double factor) = type switch
        {
            "default" => (plain, 1.0),
            "linear" => (Divide(plain, scaling.Number("factor")), 1.0),
            "dynamic" => (Dynamic(config, scaling, width, theta), 1.0),
            "llama3" => (Llama3(scaling, plain), 1.0),
            "yarn" => Yarn(config, scaling, plain, theta),
            "longrope" or "su" => LongRope(config, scaling, plain),
            _ => throw config.Unsupported("rope_type", type),
        };
        return new RotaryForm(frequencies, (float)factor, interleaved);
    }

    /// <summary>theta^(-2i / width).</summary>
    private static float[] Plain(int width, double theta)
    {
        float[] frequencies = new float[width / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = 1 / (float)Math.Pow(theta, 2 * i / (float)width);
        return frequencies;
    }

    private static float[] Divide(float[] frequencies, double factor) => [.. frequencies.Select(frequency => frequency / (float)factor)];

    /// <summary>NTK scaling: a larger base once the context is longer than the model was made for.</summary>
    private static float[] Dynamic(ConfigReader config, ConfigReader scaling, int width, double theta)
    {
        double factor = scaling.Number("factor"), longest = config.Size("max_position_embeddings");
        double length = Math.Max(config.ContextLength, longest);
        return Plain(width, theta * Math.Pow((factor * length / longest) - (factor - 1), width / (width - 2.0)));
    }

    /// <summary>Long waves are stretched, short ones kept, those between blended.</summary>
    private static float[] Llama3(ConfigReader scaling, float[] plain)
    {
        double factor = scaling.Number("factor"), low = scaling.Number("low_freq_factor"), high = scaling.Number("high_freq_factor");
        double length = scaling.Size("original_max_position_embeddings");
        return [.. plain.Select(frequency =>
        {
            double wave = 2 * Math.PI / frequency;
            if (wave > length / low) return (float)(frequency / factor);
            if (wave < length / high) return frequency;
            double smooth = ((length / wave) - low) / (high - low);
            return (float)(((1 - smooth) * frequency / factor) + (smooth * frequency));
        })];
    }

    /// <summary>Long waves are stretched, short ones kept, a ramp between two numbers of rotations; cosines grow.</summary>
    private static (float[] Frequencies, double Factor) Yarn(ConfigReader config, ConfigReader scaling, float[] plain, double theta)
    {
        double factor = scaling.Number("factor"), width = plain.Length * 2;
        double length = scaling.OptionalSize("original_max_position_embeddings") ?? config.Size("max_position_embeddings");
        double low = Dimension(scaling.OptionalNumber("beta_fast") ?? 32), high = Dimension(scaling.OptionalNumber("beta_slow") ?? 1);
        if (scaling.Flag("truncate", true)) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, width - 1));
        if (low == high) high += 0.001;
        float[] frequencies = new float[plain.Length];
        for (int i = 0; i < plain.Length; i++)
        {
            double ramp = Math.Clamp((i - low) / (high - low), 0, 1);
            frequencies[i] = (float)((plain[i] / factor * ramp) + (plain[i] * (1 - ramp)));
        }

        return (frequencies, scaling.OptionalNumber("attention_factor") ?? YarnFactor(scaling, factor));

        double Dimension(double rotations) => width * Math.Log(length / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
    }

    private static double YarnFactor(ConfigReader scaling, double factor) =>
        scaling.OptionalNumber("mscale") is { } scale and not 0 && scaling.OptionalNumber("mscale_all_dim") is { } all and not 0
            ? YarnScale(factor, scale) / YarnScale(factor, all)
            : YarnScale(factor, 1);

    /// <summary>0.1 m ln(factor) + 1, or 1 where nothing is stretched.</summary>
    public static double YarnScale(double factor, double scale) => factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;

    /// <summary>A divisor for each frequency, one list for contexts within the original length and one for longer ones.</summary>
    private static (float[] Frequencies, double Factor) LongRope(ConfigReader config, ConfigReader scaling, float[] plain)
    {
        int? original = config.OptionalSize("original_max_position_embeddings") ?? scaling.OptionalSize("original_max_position_embeddings");
        double length = original ?? config.Size("max_position_embeddings");
        double factor = original is null ? scaling.Number("factor") : config.Size("max_position_embeddings") / length;
        string list = config.ContextLength > length ? "long_factor" : "short_factor";
        IReadOnlyList<double> divisors = scaling.Numbers(list) ?? [];
        if (divisors.Count != plain.Length) throw config.Unsupported(list, $"of {divisors.Count} numbers for {plain.Length} frequencies");
        return (
            [.. plain.Zip(divisors, (frequency, divisor) => frequency / (float)divisor)],
            scaling.OptionalNumber("attention_factor") ?? (factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(length)))));
    }
}
