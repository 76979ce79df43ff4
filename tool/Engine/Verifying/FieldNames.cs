namespace Bnb.Engine.Verifying;

/// <summary>What savers of checkpoints leave out, rename and add without changing the model.</summary>
internal static class FieldNames
{
    private static readonly (string Old, string New)[] Renamed =
    [
        (".gamma", ".weight"), (".beta", ".bias"),
        (".weight_g", ".parametrizations.weight.original0"), (".weight_v", ".parametrizations.weight.original1"),
    ];

    private static readonly string[] Buffers =
        ["inv_freq", "position_ids", "masked_bias", "cos_cached", "sin_cached", "token_type_ids", "relative_position_index", "freqs_cis", "causal_mask"];

    private static readonly string[] Heads = ["lm_head", "embed_out", "output", "proj_out", "decoder", "output_layer", "lm_loss", "generator_lm_head"];

    /// <summary>
    /// The source's name for a tensor: TensorFlow's old names of norms are written as torch's, and those of a weight in two
    /// factors as torch has had them since 2.0.
    /// </summary>
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
    /// <param name="rank">Its dimensions: causal masks are called bias and have four.</param>
    public static bool IsDerivedBuffer(string name, int rank) => Buffers.Contains(Leaf(name))
        || (rank == 4 && (name.EndsWith("attn.bias", StringComparison.Ordinal) || name.EndsWith("attention.bias", StringComparison.Ordinal)));

    /// <summary>The weight or bias of an output head, which a tied checkpoint need not hold.</summary>
    public static bool IsHead(string name)
    {
        string[] parts = name.Split('.');
        return parts.Length >= 2 && parts[^1] is "weight" or "bias" && Heads.Contains(parts[^2]);
    }

    private static string Leaf(string name) => name[(name.LastIndexOf('.') + 1)..];
}
