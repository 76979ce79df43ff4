using System.Globalization;
using Bnb.Formats.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Formats.IO;

/// <summary>
/// Reads ranges of a regular file at 64-bit offsets. Files are read, never mapped: a mapping of a file that becomes shorter
/// kills the process, a short read can be reported. Safe for concurrent reads.
/// </summary>
public sealed class PositionedFile : IByteSource, IDisposable
{
    private readonly SafeFileHandle _handle;

    private PositionedFile(string path, SafeFileHandle handle, FileIdentity identity)
    {
        Path = path;
        _handle = handle;
        Identity = identity;
    }

    /// <summary>The path as given.</summary>
    public string Path { get; }

    /// <summary>The file as it was when opened.</summary>
    public FileIdentity Identity { get; }

    /// <summary>Bytes when opened.</summary>
    public long Length => Identity.Length;

    /// <summary>Opens a regular file for reading, without locking it and without blocking on what is not one.</summary>
    /// <exception cref="CheckpointFormatException">It is missing, not a regular file, or permission is denied.</exception>
    /// <exception cref="IOException">The system failed otherwise.</exception>
    public static PositionedFile Open(string path)
    {
        FileStatus status = FileProbe.RequireRegular(path);
        if (!OperatingSystem.IsLinux())
        {
            SafeFileHandle managed = File.OpenHandle(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return new PositionedFile(path, managed, status.Identity);
        }

        SafeFileHandle handle = Posix.OpenReadOnly(path, out int errno) ?? throw FileProbe.StatFailed(path, errno);
        // The name may lead elsewhere by now; what counts is the file that was opened.
        if (!Posix.TryStat(handle, out status, out errno))
        {
            handle.Dispose();
            throw Posix.Failed("stat", path, errno);
        }

        if (status.Kind == FileKind.Regular) return new PositionedFile(path, handle, status.Identity);
        handle.Dispose();
        throw FileProbe.NotRegular(path, status);
    }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/> on.</summary>
    /// <exception cref="CheckpointFormatException">The file ends earlier: it was made shorter while in use.</exception>
    /// <exception cref="IOException">The device reported an error.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        int done = 0;
        while (done < destination.Length)
        {
            int count = ReadOnce(offset + done, destination[done..]);
            if (count == 0) throw EndedEarly(offset + done, destination.Length - done);
            done += count;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private int ReadOnce(long offset, Span<byte> destination)
    {
        try
        {
            return RandomAccess.Read(_handle, destination, offset);
        }
        catch (IOException failed)
        {
            // The runtime says what happened, not where.
            throw new IOException($"read {DisplayText.Escape(Path)} at byte {offset.ToString(CultureInfo.InvariantCulture)}: {failed.Message}", failed.HResult);
        }
    }

    private CheckpointFormatException EndedEarly(long offset, int missing) => new(
        FormatError.InputChanged,
        $"{DisplayText.Escape(System.IO.Path.GetFileName(Path))} became shorter while it was read",
        Path,
        facts:
        [
            ("ends at", DisplayText.Bytes(offset)),
            ("missing", DisplayText.Bytes(missing)),
            ("was", DisplayText.Bytes(Length)),
        ],
        action: "run the same command again when nothing else changes the input");
}
