using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Formats.IO;

/// <content>stat and raw folder listing.</content>
public static partial class Posix
{
    private const int NoFollowFlag = 0x100;
    private const int EmptyPathFlag = 0x1000;
    private const uint BasicStats = 0x7ff;

    internal static bool TryStat(string path, bool followLinks, out FileStatus status, out int errno)
    {
        bool done = statx(AtCwd, path, followLinks ? 0 : NoFollowFlag, BasicStats, out StatxAnswer answer) == 0;
        errno = done ? 0 : Marshal.GetLastPInvokeError();
        status = done ? answer.ToStatus() : default;
        return done;
    }

    internal static bool TryStat(SafeFileHandle handle, out FileStatus status, out int errno)
    {
        bool done = statx(handle, "", EmptyPathFlag, BasicStats, out StatxAnswer answer) == 0;
        errno = done ? 0 : Marshal.GetLastPInvokeError();
        status = done ? answer.ToStatus() : default;
        return done;
    }

    /// <summary>
    /// The names in a folder as raw bytes. .NET decodes names as UTF-8 and loses what is not; this is for naming such a file.
    /// </summary>
    internal static IReadOnlyList<byte[]> RawNames(string folder, int limit)
    {
        List<byte[]> names = [];
        if (!OperatingSystem.IsLinux()) return names;
        nint stream = opendir(folder);
        if (stream == 0) return names;
        try
        {
            // 64-bit Linux: the name starts 19 bytes into an entry (inode 8, offset 8, record length 2, kind 1).
            for (nint entry = readdir(stream); entry != 0 && names.Count < limit; entry = readdir(stream))
            {
                unsafe
                {
                    ReadOnlySpan<byte> name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated((byte*)entry + 19);
                    names.Add(name.ToArray());
                }
            }
        }
        finally
        {
            _ = closedir(stream);
        }

        return names;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, out StatxAnswer answer);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(SafeFileHandle handle, string path, int flags, uint mask, out StatxAnswer answer);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint opendir(string path);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint readdir(nint stream);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int closedir(nint stream);

    /// <summary>The kernel's <c>struct statx</c>: the same layout on every architecture, which <c>struct stat</c> is
    /// not.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private readonly struct StatxAnswer
    {
        [FieldOffset(28)]
        private readonly ushort _mode;

        [FieldOffset(32)]
        private readonly ulong _inode;

        [FieldOffset(40)]
        private readonly ulong _size;

        [FieldOffset(96)]
        private readonly long _changedSeconds;

        [FieldOffset(104)]
        private readonly uint _changedNs;

        [FieldOffset(112)]
        private readonly long _modifiedSeconds;

        [FieldOffset(120)]
        private readonly uint _modifiedNs;

        [FieldOffset(136)]
        private readonly uint _deviceMajor;

        [FieldOffset(140)]
        private readonly uint _deviceMinor;

        public FileStatus ToStatus()
        {
            FileKind kind = (_mode & 0xf000) switch
            {
                0x8000 => FileKind.Regular,
                0x4000 => FileKind.Folder,
                0xa000 => FileKind.Link,
                0x1000 => FileKind.Pipe,
                0xc000 => FileKind.Socket,
                0x2000 => FileKind.CharacterDevice,
                0x6000 => FileKind.BlockDevice,
                _ => FileKind.Other,
            };
            // Times far out of range only serve comparison, so they may wrap.
            long modified = unchecked((_modifiedSeconds * 1_000_000_000) + _modifiedNs);
            long changed = unchecked((_changedSeconds * 1_000_000_000) + _changedNs);
            long length = _size > long.MaxValue ? long.MaxValue : (long)_size;
            return new(kind, new(((ulong)_deviceMajor << 32) | _deviceMinor, _inode, length, modified, changed));
        }
    }
}
