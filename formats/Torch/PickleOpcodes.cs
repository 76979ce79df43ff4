using System.Globalization;

namespace Bnb.Formats.Torch;

/// <summary>Opcodes of the pickle format: those that are read, by name, and the names of all for messages.</summary>
internal static class PickleOpcodes
{
    public const byte Proto = 0x80;
    public const byte Frame = 0x95;
    public const byte Stop = (byte)'.';
    public const byte Mark = (byte)'(';
    public const byte None = (byte)'N';
    public const byte True = 0x88;
    public const byte False = 0x89;
    public const byte Int32 = (byte)'J';
    public const byte UInt8 = (byte)'K';
    public const byte UInt16 = (byte)'M';
    public const byte Long1 = 0x8a;
    public const byte Float = (byte)'G';
    public const byte Unicode = (byte)'X';
    public const byte ShortUnicode = 0x8c;
    public const byte ShortString = (byte)'U';
    public const byte EmptyTuple = (byte)')';
    public const byte Tuple = (byte)'t';
    public const byte Tuple1 = 0x85;
    public const byte Tuple2 = 0x86;
    public const byte Tuple3 = 0x87;
    public const byte EmptyList = (byte)']';
    public const byte Append = (byte)'a';
    public const byte Appends = (byte)'e';
    public const byte EmptyDict = (byte)'}';
    public const byte SetItem = (byte)'s';
    public const byte SetItems = (byte)'u';
    public const byte Put = (byte)'q';
    public const byte LongPut = (byte)'r';
    public const byte Memoize = 0x94;
    public const byte Get = (byte)'h';
    public const byte LongGet = (byte)'j';
    public const byte Global = (byte)'c';
    public const byte StackGlobal = 0x93;
    public const byte Reduce = (byte)'R';
    public const byte Build = (byte)'b';
    public const byte PersistentId = (byte)'Q';

    // All of the above.
    private static ReadOnlySpan<byte> Read =>
    [
        Proto, Frame, Stop, Mark, None, True, False, Int32, UInt8,
        UInt16, Long1, Float, Unicode, ShortUnicode, ShortString, EmptyTuple, Tuple, Tuple1,
        Tuple2, Tuple3, EmptyList, Append, Appends, EmptyDict, SetItem, SetItems, Put,
        LongPut, Memoize, Get, LongGet, Global, StackGlobal, Reduce, Build, PersistentId,
    ];

    // What is left out on purpose, so that a refusal can say what it met; Python's pickletools has the list.
    private static readonly Dictionary<byte, string> Refused = new()
    {
        [(byte)'0'] = "POP",
        [(byte)'1'] = "POP_MARK",
        [(byte)'2'] = "DUP",
        [(byte)'F'] = "FLOAT",
        [(byte)'I'] = "INT",
        [(byte)'L'] = "LONG",
        [(byte)'P'] = "PERSID",
        [(byte)'S'] = "STRING",
        [(byte)'T'] = "BINSTRING",
        [(byte)'V'] = "UNICODE",
        [(byte)'d'] = "DICT",
        [(byte)'g'] = "GET",
        [(byte)'i'] = "INST",
        [(byte)'l'] = "LIST",
        [(byte)'o'] = "OBJ",
        [(byte)'p'] = "PUT",
        [(byte)'B'] = "BINBYTES",
        [(byte)'C'] = "SHORT_BINBYTES",
        [0x81] = "NEWOBJ",
        [0x82] = "EXT1",
        [0x83] = "EXT2",
        [0x84] = "EXT4",
        [0x8b] = "LONG4",
        [0x8d] = "BINUNICODE8",
        [0x8e] = "BINBYTES8",
        [0x8f] = "EMPTY_SET",
        [0x90] = "ADDITEMS",
        [0x91] = "FROZENSET",
        [0x92] = "NEWOBJ_EX",
        [0x96] = "BYTEARRAY8",
        [0x97] = "NEXT_BUFFER",
        [0x98] = "READONLY_BUFFER",
    };

    /// <summary>Whether a pickle has such an opcode at all, read here or not.</summary>
    public static bool IsOne(byte opcode) => Read.Contains(opcode) || Refused.ContainsKey(opcode);

    /// <summary>What a byte is called that is not read as an opcode.</summary>
    public static string Describe(byte opcode) => Refused.TryGetValue(opcode, out string? name)
        ? $"has the opcode {name}, which no weights need"
        : string.Create(CultureInfo.InvariantCulture, $"has the byte 0x{opcode:x2} where an opcode should be");
}
