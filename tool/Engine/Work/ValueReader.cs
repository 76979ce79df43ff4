namespace Bnb.Engine.Work;

/// <summary>The values of a <see cref="Plans.WeightInput"/>, in pieces that any worker may take.</summary>
internal abstract class ValueReader
{
    /// <summary>Called once before the first piece, to hold what would otherwise be read in many short pieces.</summary>
    /// <param name="lend">Whether so many bytes may be taken.</param>
    public virtual void Begin(Func<long, bool> lend)
    {
    }

    /// <summary>Called once after the last piece; gives back what <see cref="Begin"/> took.</summary>
    public virtual void End(Action<long> giveBack)
    {
    }

    /// <summary>Values <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> of the flat [out, in]
    /// weight, in the input's dtype. The span lies in one of the buffers.</summary>
    public abstract ReadOnlySpan<byte> Read(long first, int count, WorkerBuffers buffers);
}
