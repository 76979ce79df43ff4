using Bnb.Engine.Work;

namespace Bnb.Engine.Output;

/// <summary>What a run may do to what is there, how much of the output it makes, and how it is written.</summary>
/// <param name="Overwrite">Replace an existing output.</param>
/// <param name="Restart">Throw away what an earlier run left in the staging folder.</param>
/// <param name="Share">Null for a run that makes everything and has the staging folder to itself.</param>
/// <param name="Checksums">False to leave out SHA-256 of weight files, by which a later run or worker could tell that they are sound.</param>
internal sealed record WriteMode(bool Overwrite, bool Restart = false, WorkerShare? Share = null, bool Checksums = true)
{
    /// <summary>Whether other runs may work in the same staging folder.</summary>
    public bool Shared => Share is not null;
}
