namespace Bnb.Engine.Verifying;

/// <summary>What savers of checkpoints leave out, rename and add without changing the model.</summary>
internal static class FieldNames
{
    private static readonly (string Old, string New)[] Renamed = [(".gamma", ".weight"), (".beta", ".bias")];
    private static readonly string[] Heads = ["lm_head", "embed_out", "output", "proj_out", "decoder", "output_layer", "lm_loss", "generator_lm_head"];

    /// <summary>The source's name for a tensor: TensorFlow's old names of norms are written as torch's.</summary>
    /// <param name="has">Whether the source has a tensor of a name.</param>
    public static string InSource(string name, Func<string, bool> has)
    {
        if (has(name)) return name;
        foreach ((string old, string current) in Renamed)
        {
            if (name.EndsWith(current, StringComparison.Ordinal) && has(name[..^current.Length] + old)) return name[..^current.Length] + old;
            if (name.EndsWith(old, StringComparison.Ordinal) && has(name[..^old.Length] + current)) return name[..^old.Length] + current;
        }

        return name;
    }

    /// <summary>A buffer that models compute when they are built; newer versions do not save it.</summary>
    public static bool IsDerivedBuffer(string name) =>
        Leaf(name) is "inv_freq" or "position_ids" or "masked_bias" or "cos_cached" or "sin_cached" or "token_type_ids";

    /// <summary>The weight or bias of an output head, which a tied checkpoint need not hold.</summary>
    public static bool IsHead(string name)
    {
        string[] parts = name.Split('.');
        return parts.Length >= 2 && parts[^1] is "weight" or "bias" && Heads.Contains(parts[^2]);
    }

    private static string Leaf(string name) => name[(name.LastIndexOf('.') + 1)..];
}
