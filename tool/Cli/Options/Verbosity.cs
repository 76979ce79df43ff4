namespace Bnb.Cli.Options;

/// <summary>How much is said on stderr.</summary>
internal enum Verbosity
{
    /// <summary>Errors only.</summary>
    Quiet,

    /// <summary>Warnings, progress, summary.</summary>
    Normal,

    /// <summary>What was decided for each tensor.</summary>
    Detailed,

    /// <summary>Everything, for a bug report.</summary>
    Diagnostic,
}
