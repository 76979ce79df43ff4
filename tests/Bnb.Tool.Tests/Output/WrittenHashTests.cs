using System.Security.Cryptography;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary>The hash of a file that is written in pieces is the hash of the file.</summary>
public sealed class WrittenHashTests : IDisposable
{
    private const int Length = 9_000_001;
    private readonly TempFolder _folder = new();
    private readonly byte[] _content = new byte[Length];
    private readonly SafeFileHandle _handle;

    public WrittenHashTests()
    {
        new Random(20261128).NextBytes(_content);
        _handle = File.OpenHandle(_folder["file"], FileMode.CreateNew, FileAccess.ReadWrite);
    }

    public void Dispose()
    {
        _handle.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(7_000, 1)]
    [InlineData(70_001, 2)]
    [InlineData(3_000_000, 2)]
    [InlineData(Length, 1)]
    public void Finish_PiecesInAnyOrderFromSeveralThreads_IsTheFilesHash(int piece, int threads)
    {
        int[] pieces = [.. Enumerable.Range(0, (Length + piece - 1) / piece)];
        new Random(piece).Shuffle(pieces);
        using var hash = new WrittenHash(_handle);

        Parallel.ForEach(pieces, new ParallelOptions { MaxDegreeOfParallelism = threads }, place => Write(hash, (long)place * piece, piece));

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(_content)), hash.Finish(Length));
    }

    [Fact]
    public void Finish_APieceThatNobodyAnnounced_IsHashedToo()
    {
        RandomAccess.Write(_handle, _content, 0);
        using var hash = new WrittenHash(_handle);
        hash.Written(2_000_000, 1);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(_content)), hash.Finish(Length));
    }

    [Fact]
    public void Finish_AFileThatIsShorter_IsAnIOException()
    {
        using var hash = new WrittenHash(_handle);
        Write(hash, 0, 2_000_000);

        Assert.ThrowsAny<IOException>(() => hash.Finish(Length));
    }

    [Fact]
    public void Dispose_InTheMiddle_EndsTheThread()
    {
        var hash = new WrittenHash(_handle);
        Write(hash, 0, 4_000_000);
        hash.Dispose();
        hash.Dispose();
    }

    /// <summary>Long enough to be hashed while it is written: with a header that is known before, and with one that is not.</summary>
    [Theory]
    [InlineData("none")]
    [InlineData("fp4")]
    public void Quantize_ALongFile_ItsManifestHasItsHash(string type)
    {
        new SampleCheckpoint(1, 1024, 24_000).Write(_folder["source"]);

        ToolRun.Succeed("quantize", _folder["source"], "--output", _folder["out"], "--type", type);

        FileInfo file = Assert.Single(new DirectoryInfo(_folder["out"]).GetFiles("*.safetensors"));
        Assert.True(file.Length > 32 << 20);
        ToolRun.Succeed("verify", _folder["out"], "--manifest");
    }

    private void Write(WrittenHash hash, long offset, int length)
    {
        ReadOnlySpan<byte> piece = _content.AsSpan((int)offset, (int)Math.Min(length, Length - offset));
        RandomAccess.Write(_handle, piece, offset);
        hash.Written(offset, piece.Length);
    }
}
