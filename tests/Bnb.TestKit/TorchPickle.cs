using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Bnb.TestKit;

/// <summary>Writes pickles for tests, opcode by opcode, the way torch.save does it. Knows nothing of the product's reader.</summary>
public sealed class TorchPickle
{
    private readonly List<byte> _bytes = [0x80, 2];

    /// <summary>What was written so far, without an end.</summary>
    public byte[] Unfinished => [.. _bytes];

    /// <summary>The pickle with its STOP.</summary>
    public byte[] Bytes => [.. _bytes, (byte)'.'];

    /// <summary>A pickle made by a function.</summary>
    public static byte[] Of(Action<TorchPickle> write)
    {
        TorchPickle pickle = new();
        write(pickle);
        return pickle.Bytes;
    }

    /// <summary>An OrderedDict of named values, as <c>Module.state_dict()</c> is saved.</summary>
    public static byte[] StateDict(params (string Name, Action<TorchPickle> Value)[] entries) => Of(pickle => pickle.Dict(entries));

    /// <summary>The state dict that most cases spoil in one place: <c>w</c>, 3 x 4 float32 in storage 0 of 12.</summary>
    public static byte[] Basic() => StateDict(("w", W()));

    /// <summary>A tensor of the basic state dict, with what a case changes.</summary>
    public static Action<TorchPickle> W(
        string key = "0", long count = 12, long offset = 0, long[]? sizes = null, long[]? strides = null, string type = "FloatStorage") =>
        pickle => pickle.Tensor(type, key, count, offset, sizes ?? [3, 4], strides ?? [4, 1]);

    /// <summary>Opcodes and their arguments as they are.</summary>
    public TorchPickle Raw(params ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    /// <summary>Opcodes given as characters.</summary>
    public TorchPickle Ops(string opcodes) => Raw(Encoding.Latin1.GetBytes(opcodes));

    /// <summary>BINUNICODE.</summary>
    public TorchPickle Text(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        Ops("X").UInt32((uint)utf8.Length);
        return Raw(utf8);
    }

    /// <summary>The shortest of BININT1, BININT2, BININT and LONG1, as Python chooses.</summary>
    public TorchPickle Number(long value)
    {
        if (value is >= 0 and < 256) return Ops("K").Raw((byte)value);
        if (value is >= 0 and < 65536) return Ops("M").Raw((byte)value, (byte)(value >> 8));
        if (value is >= int.MinValue and <= int.MaxValue) return Ops("J").UInt32((uint)(int)value);
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return Raw(0x8a, 8).Raw(bytes);
    }

    /// <summary>GLOBAL.</summary>
    public TorchPickle Global(string module, string name) => Ops("c").Raw(Encoding.UTF8.GetBytes($"{module}\n{name}\n"));

    /// <summary>A tuple of integers.</summary>
    public TorchPickle Ints(params ReadOnlySpan<long> values)
    {
        Ops("(");
        foreach (long value in values) Number(value);
        return Ops("t");
    }

    /// <summary>BINUNICODE and a memo entry, as Python's pickler writes every string.</summary>
    public TorchPickle Memo(byte index) => Ops("q").Raw(index);

    /// <summary>An OrderedDict without items.</summary>
    public TorchPickle EmptyOrderedDict() => Global("collections", "OrderedDict").Ops(")R");

    /// <summary>An OrderedDict of named values.</summary>
    public TorchPickle Dict(params ReadOnlySpan<(string Name, Action<TorchPickle> Value)> entries)
    {
        EmptyOrderedDict().Ops("(");
        foreach ((string name, Action<TorchPickle> value) in entries) value(Text(name));
        return Ops("u");
    }

    /// <summary>A storage by its persistent id.</summary>
    public TorchPickle Storage(string type, string key, long count, string location = "cpu", string module = "torch") =>
        Ops("(").Text("storage").Global(module, type).Text(key).Text(location).Number(count).Ops("tQ");

    /// <summary>A tensor as <c>_rebuild_tensor_v2</c> gets it.</summary>
    public TorchPickle Tensor(string type, string key, long count, long offset, long[] sizes, long[] strides, string location = "cpu") =>
        Global("torch._utils", "_rebuild_tensor_v2").Ops("(").Storage(type, key, count, location)
            .Number(offset).Ints(sizes).Ints(strides).Raw(0x89).EmptyOrderedDict().Ops("tR");

    /// <summary>A call that an attack would make.</summary>
    public TorchPickle Call(string module, string name, string argument) => Global(module, name).Text(argument).Raw(0x85).Ops("R");

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_bytes.Count} bytes");

    private TorchPickle UInt32(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Raw(bytes);
    }
}
