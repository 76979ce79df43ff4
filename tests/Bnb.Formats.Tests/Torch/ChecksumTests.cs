using Bnb.Formats.Primitives;
using Bnb.Formats.Torch;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Torch;

public sealed class ChecksumTests
{
    [Fact]
    public void Append_CheckString_GivesThePublishedValue() => Assert.Equal(0xcbf43926, Crc32.Append(0, "123456789"u8));

    [Fact]
    public void Append_AnyPieces_GiveTheChecksumOfTheWhole()
    {
        byte[] bytes = [.. Enumerable.Range(0, 1000).Select(i => (byte)((i * 7) + (i >> 3)))];
        for (int cut = 0; cut < bytes.Length; cut += 13)
            Assert.Equal(TorchZip.Crc(bytes), Crc32.Append(Crc32.Append(0, bytes.AsSpan(0, cut)), bytes.AsSpan(cut)));
    }

    [Fact]
    public void Append_AnyLength_EqualsTablesAndBits()
    {
        byte[] bytes = [.. Enumerable.Range(0, 700).Select(i => (byte)((i * 131) ^ (i >> 2)))];
        for (int length = 0; length < 600; length++)
        {
            ReadOnlySpan<byte> span = bytes.AsSpan(length % 17, length);
            uint expected = TorchZip.Crc(span);
            Assert.Equal(expected, Crc32.AppendByTables(0, span));
            Assert.Equal(expected, Crc32.Append(0, span));
            Assert.Equal(Crc32.AppendByTables(0x9e3779b9, span), Crc32.Append(0x9e3779b9, span));
        }
    }

    [Fact]
    public void Require_FlippedBitOfAStorage_Catalogue140_IsDamaged()
    {
        byte[] bytes = TorchZip.Write(TorchZip.Basic());
        StoredRange storage = TorchFile.Read(new MemorySource(bytes)).Tensors[0].Storage;
        bytes[(int)storage.Start + 20] ^= 4;
        MemorySource damaged = new(bytes);

        // Opening reads no weights, so it does not notice.
        StoredRange found = TorchFile.Read(damaged).Tensors[0].Storage;
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(
            () => ChecksummedRange.Require(damaged, found, new TorchErrors("pytorch_model.bin")));

        Assert.Equal(("PT-CRC", FormatErrorKind.Damaged), (error.Error.Code(), error.Error.Kind()));
        Assert.Contains(error.Facts, fact => fact == ("record", "data/0"));
    }

    [Fact]
    public void Require_NoChecksum_ReadsNothing()
    {
        List<TorchRecord> records = [.. TorchZip.Basic().Select(record => record with { Crc = 0 })];
        MemorySource source = new(TorchZip.Write(records));
        TorchFile file = TorchFile.Read(source);
        int before = source.Reads.Calls;

        ChecksummedRange.Require(source, file.Tensors[0].Storage, new TorchErrors("pytorch_model.bin"));

        Assert.Equal(before, source.Reads.Calls);
        Assert.Contains(file.Notes, note => note.Contains("no checksums", StringComparison.Ordinal));
    }
}
