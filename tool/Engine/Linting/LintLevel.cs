namespace Bnb.Engine.Linting;

/// <summary>What a finding means for a consumer.</summary>
internal enum LintLevel
{
    /// <summary>Loads as it is; worth knowing.</summary>
    Note,

    /// <summary>Loads, and something is not as its author will have meant it.</summary>
    Warning,

    /// <summary>Does not load, or loads other weights than the file holds.</summary>
    Error,
}
