
namespace Bnb.Engine.Evaluating.Families;

/// <summary>
/// The rotary embedding that a config describes: <c>rope_parameters</c>, or <c>rope_theta</c> and <c>rope_scaling</c> of older
/// files, which come first where both are there. Frequencies are those of transformers' modeling_rope_utils, float32 step by step.
/// </summary>
internal static class RotarySettings
{
    private const double DefaultTheta = 10000;

    /// <summary>The same for all layers.</summary>
    /// <param name="config">The model's config.</param>
    /// <param name="headWidth">Channels of a query head.</param>
    /// <param name="rule">What the family has of its own; null for nothing.</param>
    public static RotaryForm Read(ConfigReader config, int headWidth, RotaryRule? rule = null)
    {
        rule ??= new RotaryRule();
        ConfigReader? settings = Old(config) ?? config.Object("rope_parameters");
        if (settings is not null && (settings.Has("full_attention") || settings.Has("sliding_attention")))
            throw config.Unsupported("rope_parameters", "for each type of layer");
        double theta = settings?.OptionalNumber("rope_theta") ?? config.OptionalNumber(rule.Theta) ?? DefaultTheta;
        return Make(config, settings, headWidth, theta, rule);
    }

    /// <summary>Of layers with full attention, where others have another.</summary>
    public static RotaryForm ReadFull(ConfigReader config, int headWidth)
    {
        ConfigReader? own = config.Object("rope_parameters")?.Object("full_attention"), settings = Old(config) ?? own;
        double theta = settings?.OptionalNumber("rope_theta") ?? own?.OptionalNumber("rope_theta") ?? config.Number("rope_theta");
        return Make(config, settings, headWidth, theta, new RotaryRule());
    }

    /// <summary>Of layers with a window, where others have another; older files do not scale it.</summary>
    public static RotaryForm ReadLocal(ConfigReader config, int headWidth)
    {
        ConfigReader? own = config.Object("rope_parameters")?.Object("sliding_attention");
        double theta = own?.OptionalNumber("rope_theta") ?? config.Number("rope_local_base_freq");
        return Make(config, own, headWidth, theta, new RotaryRule());
    }

    private static ConfigReader? Old(ConfigReader config) => config.HasObject("rope_scaling") ? config.Object("rope_scaling") : null;

    private static RotaryForm Make(ConfigReader config, ConfigReader? settings, int headWidth, double theta, RotaryRule rule)
    {
        string type = settings?.Text("rope_type", "type") ?? "default";
        if (type == "yarn" && rule.IsYarnLongRope) type = "longrope";
        double share = settings?.OptionalNumber("partial_rotary_factor") ?? config.OptionalNumber(rule.Share) ?? 1;
        if (share is <= 0 or > 1) throw config.Unsupported(rule.Share, $"{share}");
        if (type == "proportional") return new RotaryForm(Proportional(settings!, headWidth, theta, share), 1, rule.IsInterleaved);
        if (!rule.IsPartial && type == "default") share = 1;
        if (!rule.IsPartial && share != 1) throw config.Unsupported(rule.Share, $"{share} and rope_type {type}");
        int width = (int)(headWidth * share);
        if (width < 2 || width % 2 != 0) throw config.Unsupported("rotary channels", $"{width}");
        float[] plain = Plain(width, theta);
        (float[] frequencies, double factor) = type switch
        {
            "default" => (plain, 1.0),
            "linear" => (Divide(plain, settings!.Number("factor")), 1.0),
            "dynamic" => (Dynamic(config, settings!, width, theta), 1.0),
            "llama3" => (Llama3(config, settings!, plain), 1.0),
            "yarn" => Yarn(config, settings!, plain, theta),
            "longrope" or "su" => LongRope(config, settings!, plain),
            _ => throw config.Unsupported("rope_type", type),
        };
        return new RotaryForm(frequencies, (float)factor, rule.IsInterleaved);
    }

    /// <summary>Positions that a model had before its context was stretched. The config's own member goes before that of the settings.</summary>
    private static double OriginalLength(ConfigReader config, ConfigReader scaling) =>
        config.OptionalSize("original_max_position_embeddings") ?? scaling.OptionalSize("original_max_position_embeddings")
        ?? config.Size("max_position_embeddings");

    /// <summary>theta^(-2i / width).</summary>
    private static float[] Plain(int width, double theta)
    {
        float[] frequencies = new float[width / 2];
        for (int i = 0; i < frequencies.Length; i++) frequencies[i] = 1 / (float)Math.Pow(theta, 2 * i / (float)width);
        return frequencies;
    }

    /// <summary>The frequencies of a whole head; of the pairs beyond the share 0, which turns nothing.</summary>
    private static float[] Proportional(ConfigReader scaling, int headWidth, double theta, double share)
    {
        float[] frequencies = Divide(Plain(headWidth, theta), scaling.OptionalNumber("factor") ?? 1);
        frequencies.AsSpan((int)(share * headWidth / 2)).Clear();
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
    private static float[] Llama3(ConfigReader config, ConfigReader scaling, float[] plain)
    {
        double factor = scaling.Number("factor"), low = scaling.Number("low_freq_factor"), high = scaling.Number("high_freq_factor");
        double length = OriginalLength(config, scaling);
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
        double length = OriginalLength(config, scaling), width = plain.Length * 2;
        double factor = scaling.OptionalNumber("factor") ?? (config.Size("max_position_embeddings") / length);
        double low = Dimension(NotZero("beta_fast") ?? 32), high = Dimension(NotZero("beta_slow") ?? 1);
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

        // The library reads a 0 as nothing here.
        double? NotZero(string name) => scaling.OptionalNumber(name) is { } number and not 0 ? number : null;

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
        double length = OriginalLength(config, scaling);
        double factor = scaling.OptionalNumber("factor") ?? (config.Size("max_position_embeddings") / length);
        string list = config.ContextLength > length ? "long_factor" : "short_factor";
        IReadOnlyList<double> divisors = scaling.Numbers(list) ?? [];
        if (divisors.Count != plain.Length) throw config.Unsupported(list, $"of {divisors.Count} numbers for {plain.Length} frequencies");
        return (
            [.. plain.Zip(divisors, (frequency, divisor) => frequency / (float)divisor)],
            scaling.OptionalNumber("attention_factor") ?? (factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(length)))));
    }
}
