using System.Buffers;
using System.Globalization;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>Compares bytes of a PyTorch file with the checksum that its directory gives for them.</summary>
internal static class ChecksummedRange
{
    private const int Piece = 1 << 18;

    /// <summary>Reads the range once; nothing happens when it has no checksum.</summary>
    /// <exception cref="CheckpointFormatException">PT-CRC.</exception>
    public static void Require(IByteSource source, StoredRange range, TorchErrors errors)
    {
        if (range.Crc32 is not { } expected) return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(Piece, range.Length));
        try
        {
            uint crc = 0;
            for (long done = 0; done < range.Length;)
            {
                Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, range.Length - done));
                source.Read(range.Start + done, piece);
                crc = Crc32.Append(crc, piece);
                done += piece.Length;
            }

            if (crc == expected) return;
            throw errors.Damaged(
                FormatError.TorchChecksum,
                "a record is not what its checksum was made of",
                ("record", DisplayText.Escape(range.Key)),
                ("checksum", Hex(crc)),
                ("expected", Hex(expected)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static string Hex(uint crc) => crc.ToString("x8", CultureInfo.InvariantCulture);
}
