using Bnb.Engine.Plans;

namespace Bnb.Engine.Work;

/// <summary>One shard on its way: where its parts lie, how many of its tensors are left, its quant_state blobs.</summary>
internal sealed class ShardRun
{
    private readonly Func<ShardPlan, int, IShardSink> _openSink;
    private readonly Lock _lock = new();
    private Work? _work;
    private int _tensorsLeft;

    public ShardRun(ShardPlan plan, int index, Func<ShardPlan, int, IShardSink> openSink)
    {
        (Plan, Index, _openSink) = (plan, index, openSink);
        _tensorsLeft = plan.Tensors.Count;
    }

    public ShardPlan Plan { get; }

    public int Index { get; }

    /// <summary>The first byte of each part of one tensor in the data section, by <see cref="OutputRole"/>.</summary>
    public long[] OffsetsOf(TensorPlan tensor) => Begun().Offsets[tensor];

    /// <summary>Writes at an offset of the data section.</summary>
    public void WriteAt(long dataOffset, ReadOnlySpan<byte> bytes) => Begun().Sink.Write(dataOffset, bytes);

    public void SetState(TensorPlan tensor, byte[] state)
    {
        Work work = Begun();
        lock (_lock) work.States[tensor] = state;
    }

    /// <summary>Counts one finished tensor; true when it was the shard's last.</summary>
    public bool TensorFinished() => Interlocked.Decrement(ref _tensorsLeft) == 0;

    public ShardResult Complete()
    {
        Work work = Begun();
        ShardResult result = work.Sink.Complete(
            Plan.Outputs.States(state => work.States[state.Plan]));
        Abandon();
        return result;
    }

    /// <summary>Forgets what was only needed to write.</summary>
    public void Abandon()
    {
        _work?.Sink.Dispose();
        _work = null;
    }

    private Work Begun()
    {
        if (Volatile.Read(ref _work) is { } begun) return begun;
        lock (_lock) return _work ??= new Work(Plan, _openSink(Plan, Index));
    }

    /// <summary>What there is of a shard only while it is written.</summary>
    private sealed class Work
    {
        private static readonly int Roles = Enum.GetValues<OutputRole>().Length;

        public Work(ShardPlan plan, IShardSink sink)
        {
            Sink = sink;
            foreach ((TensorPlan tensor, FormPart part, long begin) in plan.Outputs.Places())
            {
                if (!Offsets.TryGetValue(tensor, out long[]? offsets)) Offsets[tensor] = offsets = new long[Roles];
                offsets[(int)part.Role] = begin;
            }
        }

        public IShardSink Sink { get; }

        // Plans are told apart by identity: hashing their contents for every chunk would cost more than it says.
        public Dictionary<TensorPlan, long[]> Offsets { get; } = new(ReferenceEqualityComparer.Instance);

        public Dictionary<TensorPlan, byte[]> States { get; } = new(ReferenceEqualityComparer.Instance);
    }
}
