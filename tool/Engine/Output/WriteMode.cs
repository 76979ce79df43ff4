using Bnb.Engine.Work;

namespace Bnb.Engine.Output;

/// <summary>What a run may do to what is there, and how much of the output it makes.</summary>
/// <param name="Overwrite">Replace an existing output.</param>
/// <param name="Restart">Throw away what an earlier run left in the staging folder.</param>
/// <param name="Share">Null for a run that makes everything and has the staging folder to itself.</param>
internal sealed record WriteMode(bool Overwrite, bool Restart = false, WorkerShare? Share = null)
{
    /// <summary>Whether other runs may work in the same staging folder.</summary>
    public bool Shared => Share is not null;
}
