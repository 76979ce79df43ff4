namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>What a reader makes of a module.</summary>
internal enum IgnoreAnswer
{
    /// <summary>Expects a quantized weight.</summary>
    Quantized,

    /// <summary>Expects a plain weight.</summary>
    Ignored,

    /// <summary>Refuses the checkpoint: parts of one layer have different answers.</summary>
    Refused,
}
