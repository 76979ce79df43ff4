namespace Bnb.Engine.Output;

/// <summary>How a run ended that did not fail.</summary>
internal enum OutputState
{
    /// <summary>The output has its name.</summary>
    Committed,

    /// <summary>It was there, complete and of the same plan.</summary>
    NothingToDo,

    /// <summary>A worker did its share; others have not.</summary>
    ShareDone,
}
