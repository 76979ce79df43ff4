namespace Bnb.Engine.Evaluating.Families;

/// <summary>What a family's rotary embedding has of its own.</summary>
internal sealed record RotaryRule
{
    /// <summary>Whether neighbours are paired, not channels of both halves.</summary>
    public bool IsInterleaved { get; init; }

    /// <summary>Whether a share of each head may be rotated. Other classes read the share with some kinds of scaling only, and fail then.</summary>
    public bool IsPartial { get; init; }

    /// <summary>Whether <c>yarn</c> is an old name for LongRoPE.</summary>
    public bool IsYarnLongRope { get; init; }

    /// <summary>The member with the base, of configs that have it outside of the rotary settings.</summary>
    public string Theta { get; init; } = "rope_theta";

    /// <summary>The member with the share, likewise.</summary>
    public string Share { get; init; } = "partial_rotary_factor";
}
