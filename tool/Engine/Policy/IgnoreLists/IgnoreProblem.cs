namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>How an ignore list and the tensors contradict each other.</summary>
internal enum IgnoreProblem
{
    /// <summary>The list names a quantized module: the reader looks for a plain weight that is not there.</summary>
    IgnoresQuantized,

    /// <summary>The list lacks a plain linear layer: the reader looks for packed weights that are not there.</summary>
    MissesPlain,

    /// <summary>The reader stops because parts of one layer have different answers.</summary>
    Refuses,

    /// <summary>A regular expression that cannot be judged; the other answers leave it out.</summary>
    Unreadable,
}
