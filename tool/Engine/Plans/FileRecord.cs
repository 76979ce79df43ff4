using System.Security.Cryptography;
using Bnb.Formats.IO;

namespace Bnb.Engine.Plans;

/// <summary>A file as it must be: what journals, plans and manifests say of it.</summary>
/// <param name="Name">Its place below the folder, parts separated by <c>/</c>.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">SHA-256 of its content, in lower-case hexadecimal; null of a weight file whose content nobody hashed.</param>
internal sealed record FileRecord(string Name, long Bytes, string? Sha256)
{
    private const int PieceBytes = 1 << 20;
    private const int LongestName = 4096;

    /// <summary>The record of a content that is not written yet.</summary>
    public static FileRecord Of(string name, ReadOnlySpan<byte> content) =>
        new(name, content.Length, Convert.ToHexStringLower(SHA256.HashData(content)));

    /// <summary>Reads a regular file to its end.</summary>
    public static FileRecord Read(string path, string name, CancellationToken cancellation = default)
    {
        using PositionedFile file = PositionedFile.Open(path);
        return new FileRecord(name, file.Length, Hash(file, 0, file.Length, cancellation));
    }

    /// <summary>Opens a regular file, and reads nothing of it.</summary>
    public static FileRecord ReadLength(string path, string name)
    {
        using PositionedFile file = PositionedFile.Open(path);
        return new FileRecord(name, file.Length, null);
    }

    /// <summary>SHA-256 of a range, in lower-case hexadecimal. The next piece is read while one is hashed.</summary>
    public static string Hash(PositionedFile file, long offset, long length, CancellationToken cancellation = default)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        (byte[] piece, byte[] next) = (NewPiece(length), NewPiece(length - PieceBytes));
        int count = ReadPiece(file, offset, length, piece);
        for (long done = count; count > 0; done += count)
        {
            cancellation.ThrowIfCancellationRequested();
            (byte[] into, long from) = (next, done);
            // A file of one piece needs no second thread.
            Task<int>? reading = from < length ? Task.Run(() => ReadPiece(file, offset + from, length - from, into), CancellationToken.None) : null;
            try
            {
                hash.AppendData(piece, 0, count);
            }
            finally
            {
                count = reading?.GetAwaiter().GetResult() ?? 0;
            }

            (piece, next) = (next, piece);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static byte[] NewPiece(long length) => new byte[Math.Clamp(length, 0, PieceBytes)];

    private static int ReadPiece(PositionedFile file, long offset, long length, byte[] piece)
    {
        int count = (int)Math.Min(piece.Length, length);
        file.Read(offset, piece.AsSpan(0, count));
        return count;
    }

    /// <summary>Whether a name stays below the folder it is joined to. Names come from manifests that strangers wrote.</summary>
    public static bool IsSafeName(string? name) => name is { Length: > 0 and <= LongestName }
        && !name.Any(char.IsControl)
        && !(OperatingSystem.IsWindows() && name.AsSpan().ContainsAny('\\', ':'))
        && name.Split('/').All(part => part is not ("" or "." or ".."));

    /// <summary>Whether a regular file with this content is at <paramref name="path"/>; false of a content that nobody knows.</summary>
    public bool IsAt(string path, CancellationToken cancellation = default) => Sha256 is not null && HasLengthAt(path) && Read(path, Name, cancellation) == this;

    /// <summary>Whether a file of this length is at <paramref name="path"/>.</summary>
    public bool HasLengthAt(string path)
    {
        var file = new FileInfo(path);
        return file.Exists && file.Length == Bytes;
    }
}
