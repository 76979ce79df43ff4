using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Formats.IO;

/// <summary>Locks of folders.</summary>
public static partial class Posix
{
    /// <summary>The file that is locked where a folder itself cannot be (NFS, systems other than Linux).</summary>
    public const string LockFileName = ".bnb-lock";

    private const int EBADF = 9;
    private const int EAGAIN = 11;
    private const int ENOLCK = 37;
    private const int LockShared = 1;
    private const int LockExclusive = 2;
    private const int LockNonBlocking = 4;
    private const int OpenOrCreateReadWrite = 0x2 | 0x40 | 0x80000; // O_RDWR | O_CREAT | O_CLOEXEC
    private const int ReadWriteForAll = 0x1b6;

    /// <summary>
    /// Locks a folder against other runs until the handle is disposed or the process ends, however it ends. The lock stays
    /// with the folder through a rename. Where the folder itself cannot be locked, a file <see cref="LockFileName"/> inside is.
    /// </summary>
    /// <returns>The lock, or null when another process (or another call) has it, or when the folder was replaced
    /// meanwhile.</returns>
    /// <exception cref="IOException">The folder cannot be opened or the file system cannot lock it.</exception>
    public static SafeFileHandle? Flock(string folder) => Flock(folder, shared: false, out _);

    /// <summary>The same, with a lock that others may share.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="shared">True for a lock that keeps out exclusive ones only.</param>
    /// <param name="held">False when the file system has no locks at all: what is returned then keeps nobody out.</param>
    /// <returns>As of <see cref="Flock(string)"/>.</returns>
    /// <exception cref="IOException">The folder cannot be opened.</exception>
    public static SafeFileHandle? Flock(string folder, bool shared, out bool held)
    {
        RequirePath(folder);
        held = true;
        if (!OperatingSystem.IsLinux()) return LockFile(folder, shared);
        SafeFileHandle handle = OpenReadOnly(folder, out int errno) ?? throw Failed("open", folder, errno);
        int operation = (shared ? LockShared : LockExclusive) | LockNonBlocking;
        if (flock(handle, operation) == 0)
        {
            if (IsStillAt(handle, folder)) return handle;
            handle.Dispose();
            return null;
        }

        errno = Marshal.GetLastPInvokeError();
        handle.Dispose();
        if (errno == EAGAIN) return null;
        // NFS locks no folder that is open for reading only; some file systems lock nothing.
        if (!CannotLock(errno)) throw Failed("flock", folder, errno);
        handle = OpenLockFile(Path.Combine(folder, LockFileName));
        if (flock(handle, operation) == 0) return handle;
        errno = Marshal.GetLastPInvokeError();
        held = !CannotLock(errno);
        if (!held) return handle;
        handle.Dispose();
        return errno == EAGAIN ? null : throw Failed("flock", folder, errno);
    }

    private static bool CannotLock(int errno) => errno is EBADF or ENOLCK or ENOSYS or EINVAL or EOPNOTSUPP;

    private static SafeFileHandle OpenLockFile(string path)
    {
        int descriptor = open(path, OpenOrCreateReadWrite, ReadWriteForAll);
        return descriptor < 0 ? throw Failed("open", path, Marshal.GetLastPInvokeError()) : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    private static bool IsStillAt(SafeFileHandle handle, string folder) => TryStat(handle, out FileStatus opened, out _)
        && FileStatus.TryGet(folder, followLinks: true, out FileStatus now, out _)
        && opened.Identity.Device == now.Identity.Device && opened.Identity.Inode == now.Identity.Inode;

    private static SafeFileHandle? LockFile(string folder, bool shared)
    {
        try
        {
            return File.OpenHandle(
                Path.Combine(folder, LockFileName), FileMode.OpenOrCreate, FileAccess.ReadWrite, shared ? FileShare.ReadWrite | FileShare.Delete : FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, int mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(SafeFileHandle handle, int operation);
}
