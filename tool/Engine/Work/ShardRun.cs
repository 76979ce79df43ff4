using Bnb.Engine.Plans;

namespace Bnb.Engine.Work;

/// <summary>One shard on its way: where its parts lie, how many of its tensors are left, its quant_state blobs.</summary>
internal sealed class ShardRun
{
    private readonly Func<ShardPlan, int, IShardSink> _openSink;
    // Plans are told apart by identity: hashing their contents for every chunk would cost more than it says.
    private readonly Dictionary<TensorPlan, long[]> _offsets = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<TensorPlan, byte[]> _states = new(ReferenceEqualityComparer.Instance);
    private readonly Lock _lock = new();
    private IShardSink? _sink;
    private int _tensorsLeft;

    public ShardRun(ShardPlan plan, int index, Func<ShardPlan, int, IShardSink> openSink)
    {
        (Plan, Index, _openSink) = (plan, index, openSink);
        _tensorsLeft = plan.Tensors.Count;
        foreach (TensorPlan tensor in plan.Tensors) _offsets[tensor] = new long[Enum.GetValues<OutputRole>().Length];
        foreach (OutputTensor output in plan.Outputs) _offsets[output.Plan][(int)output.Role] = output.Info.Begin;
    }

    public ShardPlan Plan { get; }

    public int Index { get; }

    /// <summary>Writes <paramref name="bytes"/> at an offset within one part of one tensor.</summary>
    public void Write(TensorPlan tensor, OutputRole role, long offset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return;
        Sink().Write(_offsets[tensor][(int)role] + offset, bytes);
    }

    public void SetState(TensorPlan tensor, byte[] state)
    {
        lock (_lock) _states[tensor] = state;
    }

    /// <summary>Counts one finished tensor; true when it was the shard's last.</summary>
    public bool TensorFinished() => Interlocked.Decrement(ref _tensorsLeft) == 0;

    public ShardResult Complete()
    {
        IShardSink sink = Sink();
        ShardResult result = sink.Complete(
            [.. Plan.Outputs.Where(output => output.Role == OutputRole.QuantState).Select(output => _states[output.Plan])]);
        sink.Dispose();
        return result;
    }

    public void Abandon() => _sink?.Dispose();

    private IShardSink Sink()
    {
        if (Volatile.Read(ref _sink) is { } open) return open;
        lock (_lock) return _sink ??= _openSink(Plan, Index);
    }
}
