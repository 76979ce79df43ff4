using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Bnb.Engine.Plans;

/// <summary>SHA-256 of very many short lines, as UTF-8. They are hashed many at a time: a call for each would cost more than hashing it.</summary>
internal sealed class HashedLines : IDisposable
{
    private const int Together = 1 << 16, MostDigits = 20;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] _bytes = new byte[Together];
    private int _filled;

    /// <summary>Adds a text and a character behind it.</summary>
    public void Add(ReadOnlySpan<char> text, char end)
    {
        MakeRoom(Encoding.UTF8.GetMaxByteCount(text.Length) + 1);
        _filled += Encoding.UTF8.GetBytes(text, _bytes.AsSpan(_filled));
        _bytes[_filled++] = (byte)end;
    }

    /// <summary>Adds a number and a character behind it.</summary>
    public void Add(long number, char end)
    {
        MakeRoom(MostDigits + 1);
        Utf8Formatter.TryFormat(number, _bytes.AsSpan(_filled), out int written);
        _filled += written;
        _bytes[_filled++] = (byte)end;
    }

    /// <summary>The hash of all that was added.</summary>
    public byte[] Finish()
    {
        Hash();
        return _hash.GetHashAndReset();
    }

    public void Dispose() => _hash.Dispose();

    private void MakeRoom(int bytes)
    {
        if (_bytes.Length - _filled >= bytes) return;
        Hash();
        if (_bytes.Length < bytes) _bytes = new byte[bytes];
    }

    private void Hash()
    {
        _hash.AppendData(_bytes, 0, _filled);
        _filled = 0;
    }
}
