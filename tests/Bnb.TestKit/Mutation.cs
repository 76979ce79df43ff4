using System.Buffers.Binary;

namespace Bnb.TestKit;

/// <summary>Seeded changes to a file: the same seed gives the same files, on every machine.</summary>
public sealed class Mutation(ulong seed)
{
    private static readonly ulong[] Interesting = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, long.MaxValue, 1UL << 63, ulong.MaxValue];

    private readonly Dice _dice = new(seed);

    /// <summary>A copy with one to four changes.</summary>
    /// <param name="file">What is changed.</param>
    /// <param name="others">Where pieces are taken from.</param>
    public byte[] Of(byte[] file, IReadOnlyList<byte[]> others)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(others);
        List<byte> bytes = [.. file];
        for (int changes = 1 + _dice.Next(4); changes > 0; changes--) Change(bytes, others);
        return [.. bytes];
    }

    private void Change(List<byte> bytes, IReadOnlyList<byte[]> others)
    {
        int at = _dice.Next(bytes.Count), length = Math.Min(1 + _dice.Next(16), bytes.Count - at);
        switch (_dice.Next(8))
        {
            case 0:
                if (bytes.Count > 0) bytes[at] ^= (byte)(1 << _dice.Next(8));
                break;
            case 1:
                if (bytes.Count > 0) bytes[at] = (byte)_dice.Next(256);
                break;
            case 2:
            case 3:
                Number(bytes, at);
                break;
            case 4:
                bytes.RemoveRange(at, Math.Max(0, length));
                break;
            case 5:
                bytes.InsertRange(at, bytes.GetRange(at, Math.Max(0, length)));
                break;
            case 6:
                byte[] other = others[_dice.Next(others.Count)];
                int from = _dice.Next(other.Length);
                bytes.InsertRange(at, other[from..Math.Min(other.Length, from + 1 + _dice.Next(64))]);
                break;
            default:
                if (_dice.Next(4) == 0) bytes.RemoveRange(at, bytes.Count - at);
                else if (bytes.Count > 0) bytes[at] = (byte)"(.)}]NKMJXqhQRtsubc\u0085\u0086\u0087\u0093\u0094"[_dice.Next(24)];
                break;
        }
    }

    /// <summary>Puts a number that parsers stumble over where one may be, or moves the one that is there by one.</summary>
    private void Number(List<byte> bytes, int at)
    {
        int size = 1 << _dice.Next(4);
        if (at + size > bytes.Count) return;
        Span<byte> field = stackalloc byte[8];
        for (int i = 0; i < size; i++) field[i] = bytes[at + i];
        ulong value = BinaryPrimitives.ReadUInt64LittleEndian(field);
        value = _dice.Next(3) switch { 0 => value + 1, 1 => value - 1, _ => Interesting[_dice.Next(Interesting.Length)] };
        BinaryPrimitives.WriteUInt64LittleEndian(field, value);
        for (int i = 0; i < size; i++) bytes[at + i] = field[i];
    }
}
