using System.Buffers;
using System.Security.Cryptography;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Engine.Output;

/// <summary>
/// One shard being written into the staging folder: a temp name, space reserved up front, positional writes, fsync, read
/// back, and only then its final name.
/// </summary>
internal sealed class ShardFile : IShardSink
{
    private const long BytesBetweenHints = 16 << 20;
    private const long WholeFile = 0;
    private const int StatesTogether = 1 << 16;
    private const int ENOSPC = 28, HResultWithoutErrno = unchecked((int)0x80131620);

    private readonly ShardPlan _plan;
    private readonly StagingFolder _staging;
    private readonly string _tempPath;
    private readonly SafeFileHandle _handle;
    private readonly bool _hashes;
    private readonly WrittenHash? _hash;
    private string? _headerSha256;
    private long _writtenSinceHint;

    /// <param name="plan">What it holds.</param>
    /// <param name="index">Its place among the output's files.</param>
    /// <param name="staging">Where it is written.</param>
    /// <param name="hashes">False to leave its content unhashed; its header is read back all the same.</param>
    /// <param name="leastHashedAhead">
    /// Files of as many bytes are hashed while they are written, where the header is known before the tensors: it holds the lengths of
    /// quant_states, which depend on values.
    /// </param>
    public ShardFile(ShardPlan plan, int index, StagingFolder staging, bool hashes = true, long leastHashedAhead = 32 << 20)
    {
        _plan = plan;
        _staging = staging;
        _hashes = hashes;
        _tempPath = staging.TempPath(index);
        try
        {
            _handle = File.OpenHandle(
                _tempPath, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, FileOptions.None, preallocationSize: plan.MaximumLength);
        }
        catch (IOException full) when (full.HResult == HResultWithoutErrno)
        {
            // Only a failed preallocation arrives like this, so the disk has no room for the whole shard.
            throw new IOException(full.Message, ENOSPC);
        }

        if (!hashes || plan.MaximumLength < leastHashedAhead || plan.Outputs.HasStates) return;
        try
        {
            WriteHeader([]);
        }
        catch
        {
            _handle.Dispose();
            throw;
        }

        _hash = new WrittenHash(_handle);
        _hash.Written(0, plan.HeaderLength);
    }

    public void Write(long dataOffset, ReadOnlySpan<byte> bytes)
    {
        long offset = _plan.HeaderLength + dataOffset;
        RandomAccess.Write(_handle, bytes, offset);
        _hash?.Written(offset, bytes.Length);
        // Starts the disk while there is still work to do; otherwise fsync at the end waits for all of it at once. Once in
        // a while, because the call walks the file's dirty pages: once per chunk was slower than not at all.
        if (Interlocked.Add(ref _writtenSinceHint, bytes.Length) < BytesBetweenHints) return;
        Interlocked.Exchange(ref _writtenSinceHint, 0);
        Posix.SyncFileRangeStart(_handle, 0, WholeFile);
    }

    public ShardResult Complete(IReadOnlyList<byte[]> states)
    {
        long position = WriteStates(states);

        if (_hash is null) WriteHeader([.. states.Select(state => state.Length)]);
        long length = _plan.HeaderLength + position;
        RandomAccess.SetLength(_handle, length);
        // The hash is of what was written, whether it is on the disk yet or not: it is made while the disk works.
        Task<FileRecord> hashing = !_hashes ? Task.FromResult(new FileRecord(_plan.FileName, length, null)) : Task.Run(() =>
            _hash is null ? FileRecord.Read(_tempPath, _plan.FileName) : new FileRecord(_plan.FileName, length, _hash.Finish(length)));
        try
        {
            // A failed fsync is final: the kernel may have dropped the pages, so it is never tried twice.
            Posix.Fsync(_handle, _tempPath);
        }
        finally
        {
            Task.WaitAny(hashing);
            Dispose();
        }

        CheckReadsBack(length);
        FileRecord record = hashing.GetAwaiter().GetResult();
        _staging.Publish(_tempPath, record);
        return new ShardResult(length, position, [.. states.Select(state => state.Length)], record);
    }

    public void Dispose()
    {
        _hash?.Dispose();
        _handle.Dispose();
    }

    private void WriteHeader(IReadOnlyList<int> states)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long position = 0;
        ShardLayout.WriteHeader(_plan, states, piece =>
        {
            RandomAccess.Write(_handle, piece.Span, position);
            hash.AppendData(piece.Span);
            position += piece.Length;
        });
        _headerSha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Writes the blobs, which follow each other, many at a time.</summary>
    /// <returns>Where they end in the data section.</returns>
    private long WriteStates(IReadOnlyList<byte[]> states)
    {
        var piece = new ArrayBufferWriter<byte>();
        long position = _plan.FixedLength;
        for (int i = 0; i < states.Count; i++)
        {
            piece.Write(states[i]);
            if (i + 1 < states.Count && piece.WrittenCount < StatesTogether) continue;
            RandomAccess.Write(_handle, piece.WrittenSpan, _plan.HeaderLength + position);
            position += piece.WrittenCount;
            piece.ResetWrittenCount();
        }

        return position;
    }

    /// <summary>
    /// Reads the header back from the file system, by its name, and compares it with what was written. The bytes and not what they mean: a
    /// header of a million tensors would be as many objects.
    /// </summary>
    private void CheckReadsBack(long length)
    {
        try
        {
            using PositionedFile written = PositionedFile.Open(_tempPath);
            if (written.Length == length && FileRecord.Hash(written, 0, _plan.HeaderLength) == _headerSha256) return;
        }
        catch (CheckpointFormatException gone) when (gone.Error == FormatError.FileMissing)
        {
            throw new IOException($"the staging folder was changed by somebody else: {gone.Summary}", gone);
        }
        catch (CheckpointFormatException damaged)
        {
            throw NotWhatWasWritten(damaged);
        }

        throw NotWhatWasWritten(null);
    }

    private UserErrorException NotWhatWasWritten(Exception? cause) => new(
        ExitCode.VerificationFailed, "WRITE-VERIFY", $"{_plan.FileName} does not read back as it was written", cause)
    {
        File = _tempPath,
        Action = "check the disk and run the same command again",
    };
}
