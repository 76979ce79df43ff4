using System.Numerics;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// Reads a pickle into inert records. The format is a program for a stack machine (Python's pickletools describes it), and
/// unpickling runs it, calling whatever it names. Here only the opcodes that PyTorch writes are known, only names on a list
/// (<see cref="PickleGlobals"/>) may be named, and a call is a record of its arguments (<see cref="PickleCalls"/>): nothing
/// is constructed, imported or called. Stack, memo and nesting are bounded, and no value is walked.
/// </summary>
internal sealed class PickleMachine
{
    private readonly PickleReader _reader;
    private readonly PickleErrors _errors;
    private readonly PickleStack _stack;
    // A map, for an index is whatever four bytes say.
    private readonly Dictionary<uint, PickleValue> _memo = [];

    private readonly List<PickleStorage>? _storages;

    private PickleMachine(PickleReader reader, PickleErrors errors, List<PickleStorage>? storages)
    {
        _reader = reader;
        _errors = errors;
        _storages = storages;
        _stack = new PickleStack(errors);
    }

    /// <summary>Reads one pickle and leaves the reader behind its last byte.</summary>
    /// <param name="reader">Where it starts.</param>
    /// <param name="errors">Names it in messages.</param>
    /// <param name="storages">Takes every storage that is named, whether a tensor uses it or not.</param>
    /// <exception cref="CheckpointFormatException">PT-GLOBAL, PT-OPCODE or PT-PICKLE.</exception>
    public static PickleValue Run(PickleReader reader, PickleErrors errors, List<PickleStorage>? storages = null) =>
        new PickleMachine(reader, errors, storages).Run();

    private PickleValue Run()
    {
        byte opcode = _reader.Byte();
        if (opcode == PickleOpcodes.Proto)
        {
            byte protocol = _reader.Byte();
            if (protocol is < 2 or > 5)
                throw _errors.Malformed(1, "has a protocol that is not known", ("protocol", TorchErrors.Number(protocol)));
            _stack.Position = _reader.Position;
            opcode = _reader.Byte();
        }
        else if (!PickleOpcodes.IsOne(opcode))
        {
            throw _errors.Malformed(0, "does not start like a pickle");
        }

        // Older protocols begin without a number, and torch reads them too; what they can do beyond is no opcode of ours.
        for (; ; _stack.Position = _reader.Position, opcode = _reader.Byte())
        {
            if (opcode == PickleOpcodes.Stop) return _stack.Last();
            Step(opcode);
        }
    }

    private void Step(byte opcode)
    {
        switch (opcode)
        {
            case PickleOpcodes.Frame:
                if (_reader.UInt64() > (ulong)_reader.Left)
                    throw _errors.Malformed(_stack.Position, "has a frame that is longer than the rest of it");
                break;
            case PickleOpcodes.Mark: _stack.Mark(); break;
            case PickleOpcodes.None: _stack.Push(new(PickleKind.None)); break;
            case PickleOpcodes.True: _stack.Push(new(PickleKind.Boolean, 1)); break;
            case PickleOpcodes.False: _stack.Push(new(PickleKind.Boolean)); break;
            case PickleOpcodes.Int32: _stack.Push(new(PickleKind.Integer, _reader.Int32())); break;
            case PickleOpcodes.UInt8: _stack.Push(new(PickleKind.Integer, _reader.Byte())); break;
            case PickleOpcodes.UInt16: _stack.Push(new(PickleKind.Integer, _reader.UInt16())); break;
            case PickleOpcodes.Long1: _stack.Push(Long(_reader.Byte())); break;
            case PickleOpcodes.Float:
                _reader.UInt64();
                _stack.Push(new(PickleKind.Float));
                break;
            case PickleOpcodes.Unicode: _stack.Push(Text(_reader.UInt32())); break;
            case PickleOpcodes.ShortUnicode or PickleOpcodes.ShortString: _stack.Push(Text(_reader.Byte())); break;
            case PickleOpcodes.EmptyTuple: _stack.PushTuple([]); break;
            case PickleOpcodes.Tuple: _stack.PushTuple(_stack.PopToMark()); break;
            case PickleOpcodes.Tuple1: _stack.PushTuple(_stack.Pop(1)); break;
            case PickleOpcodes.Tuple2: _stack.PushTuple(_stack.Pop(2)); break;
            case PickleOpcodes.Tuple3: _stack.PushTuple(_stack.Pop(3)); break;
            case PickleOpcodes.EmptyList: _stack.Push(new(PickleKind.List, 0, new List<PickleValue>())); break;
            case PickleOpcodes.Append: Append(_stack.Pop(1)); break;
            case PickleOpcodes.Appends: Append(_stack.PopToMark()); break;
            case PickleOpcodes.EmptyDict: _stack.Push(new(PickleKind.Dict, 0, new PickleDict(isOrdered: false))); break;
            case PickleOpcodes.SetItem: SetItems(_stack.Pop(2)); break;
            case PickleOpcodes.SetItems: SetItems(_stack.PopToMark()); break;
            case PickleOpcodes.Put: Memoize(_reader.Byte()); break;
            case PickleOpcodes.LongPut: Memoize(_reader.UInt32()); break;
            case PickleOpcodes.Memoize: Memoize((uint)_memo.Count); break;
            case PickleOpcodes.Get: _stack.Push(Recall(_reader.Byte())); break;
            case PickleOpcodes.LongGet: _stack.Push(Recall(_reader.UInt32())); break;
            case PickleOpcodes.Global: _stack.Push(Global(_reader.Line(), _reader.Line())); break;
            case PickleOpcodes.StackGlobal: _stack.Push(StackGlobal(_stack.Pop(2))); break;
            case PickleOpcodes.Reduce: _stack.Push(PickleCalls.Reduce(_stack.Pop(2), _stack, _errors)); break;
            case PickleOpcodes.Build: Build(_stack.Pop(1)[0]); break;
            case PickleOpcodes.PersistentId: _stack.Push(Storage(PickleCalls.Storage(_stack.Pop(1)[0], _stack, _errors))); break;
            default: throw _errors.Opcode(_stack.Position, PickleOpcodes.Describe(opcode));
        }
    }

    private PickleValue Storage(PickleStorage storage)
    {
        _storages?.Add(storage);
        return new(PickleKind.Storage, 0, storage);
    }

    private PickleValue Text(long length) => new(PickleKind.Text, 0, _reader.Text(length));

    private PickleValue Long(byte length)
    {
        var value = new BigInteger(_reader.Bytes(stackalloc byte[length]));
        return value >= long.MinValue && value <= long.MaxValue
            ? new(PickleKind.Integer, (long)value)
            : new(PickleKind.LargeInteger, 0, value);
    }

    private PickleValue Global(string module, string name) => PickleGlobals.Find(module, name) is { } known
        ? new(PickleKind.Global, 0, known)
        : throw _errors.Global(_stack.Position, module, name);

    private PickleValue StackGlobal(PickleValue[] names)
    {
        if (names is not [{ Object: string module }, { Object: string name }])
            throw _errors.Opcode(_stack.Position, "has the opcode STACK_GLOBAL with something other than two strings");
        if (PickleGlobals.Find(module, name) is { } known) return new(PickleKind.Global, 0, known);
        throw _errors.Opcode(
            _stack.Position,
            $"has the opcode STACK_GLOBAL for {DisplayText.Escape(module)}.{DisplayText.Escape(name)}, which no weights need");
    }

    private void Memoize(uint index)
    {
        _stack.Count(2);
        _memo[index] = _stack.Peek();
    }

    private PickleValue Recall(uint index) => _memo.TryGetValue(index, out PickleValue value)
        ? value
        : throw _errors.Malformed(_stack.Position, "uses a memo entry that was never set", ("entry", TorchErrors.Number(index)));

    private void Append(PickleValue[] items)
    {
        if (_stack.Peek() is not { Kind: PickleKind.List, Object: List<PickleValue> list })
            throw _errors.Unsafe(_stack.Position, $"appends to {_stack.Peek().KindText}");
        list.AddRange(items);
    }

    private void SetItems(PickleValue[] items)
    {
        if (_stack.Peek() is not { Kind: PickleKind.Dict, Object: PickleDict dict })
            throw _errors.Unsafe(_stack.Position, $"sets an item of {_stack.Peek().KindText}");
        if (items.Length % 2 != 0) throw _errors.Malformed(_stack.Position, "has a key without a value");
        for (int i = 0; i < items.Length; i += 2) dict.Items.Add((items[i], items[i + 1]));
    }

    /// <summary>Attributes of an object. State dicts carry one, their versions, which weights do not need.</summary>
    private void Build(PickleValue state)
    {
        if (_stack.Peek() is { Kind: PickleKind.Dict, Object: PickleDict { IsOrdered: true } } && state.Kind == PickleKind.Dict) return;
        throw _errors.Unsafe(_stack.Position, $"sets attributes of {_stack.Peek().KindText}");
    }
}
