using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// The stack of a pickle with its marks. Nothing below the last mark can be reached, and the number of values that a pickle
/// may make is counted.
/// </summary>
internal sealed class PickleStack(PickleErrors errors)
{
    // What a container costs beyond its items.
    private const int ContainerCells = 4;

    private readonly List<PickleValue> _values = [];
    private readonly Stack<int> _marks = [];
    private long _cells;

    /// <summary>Where the opcode of now is, for messages.</summary>
    public long Position { get; set; }

    private int Bottom => _marks.TryPeek(out int mark) ? mark : 0;

    public void Mark()
    {
        Count(1);
        _marks.Push(_values.Count);
    }

    public void Push(PickleValue value)
    {
        Count(value.Kind is PickleKind.List or PickleKind.Dict or PickleKind.Tuple ? ContainerCells : 1);
        _values.Add(value);
    }

    /// <summary>Pushes a tuple of values that were popped.</summary>
    public void PushTuple(PickleValue[] items)
    {
        int depth = 1;
        foreach (PickleValue item in items)
        {
            if (item.Object is PickleTuple inner) depth = Math.Max(depth, inner.Depth + 1);
        }

        if (depth > FormatLimits.PickleDepth)
            throw errors.Malformed(Position, "nests tuples too deeply", ("limit", TorchErrors.Number(FormatLimits.PickleDepth)));
        Push(new(PickleKind.Tuple, 0, new PickleTuple(items, depth)));
    }

    /// <summary>The topmost value.</summary>
    public PickleValue Peek() => _values.Count > Bottom ? _values[^1] : throw Underflow();

    /// <summary>The topmost values, the lowest first.</summary>
    public PickleValue[] Pop(int count)
    {
        if (_values.Count - Bottom < count) throw Underflow();
        return Take(_values.Count - count);
    }

    /// <summary>All values above the last mark, which is gone then.</summary>
    public PickleValue[] PopToMark() =>
        _marks.TryPop(out int mark) ? Take(mark) : throw errors.Malformed(Position, "needs a mark that was never set");

    /// <summary>The one value that is left at the end.</summary>
    public PickleValue Last() => _values.Count == 1 && _marks.Count == 0
        ? _values[0]
        : throw errors.Malformed(
            Position,
            "does not end with one value",
            ("values", TorchErrors.Number(_values.Count)),
            ("marks", TorchErrors.Number(_marks.Count)));

    /// <summary>Counts values against the limit.</summary>
    public void Count(int cells)
    {
        _cells += cells;
        if (_cells > FormatLimits.PickleCells)
            throw errors.Malformed(Position, "makes more values than a checkpoint has", ("limit", TorchErrors.Number(FormatLimits.PickleCells)));
    }

    private PickleValue[] Take(int from)
    {
        PickleValue[] values = [.. _values[from..]];
        Count(values.Length);
        _values.RemoveRange(from, values.Length);
        return values;
    }

    private CheckpointFormatException Underflow() => errors.Malformed(Position, "takes more values off the stack than there are");
}
