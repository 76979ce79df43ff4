using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Bnb.Formats.Primitives;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Formats.IO;

/// <summary>
/// The few system calls .NET does not offer or does not report errors of: fsync of files and folders, atomic renames, folder
/// locks. A failed call throws an <see cref="IOException"/> with the error number in <see cref="Exception.HResult"/>. On
/// systems other than Linux each has a managed stand-in, named at the method.
/// </summary>
public static partial class Posix
{
    internal const int EPERM = 1;
    internal const int ENOENT = 2;
    internal const int EINTR = 4;
    internal const int EACCES = 13;
    internal const int ENOTDIR = 20;
    internal const int EINVAL = 22;
    internal const int ENAMETOOLONG = 36;
    internal const int ENOSYS = 38;
    internal const int ELOOP = 40;

    private const int EOPNOTSUPP = 95;
    private const int AtCwd = -100;
    private const uint RenameNoReplaceFlag = 1;
    private const uint RenameExchangeFlag = 2;
    private const uint SyncFileRangeWrite = 2;
    private const int OpenReadOnlyNonBlocking = 0x800 | 0x80000; // O_RDONLY | O_NONBLOCK | O_CLOEXEC

    /// <summary>
    /// Waits until a file's bytes are on the device. .NET 10's own flush loses the error of the call, hence this one. After a
    /// failure the file must be thrown away: the kernel forgets which pages were not written. Elsewhere: the managed flush.
    /// </summary>
    /// <param name="handle">An open file.</param>
    /// <param name="path">Its name, for messages.</param>
    /// <exception cref="IOException">The device reported an error.</exception>
    public static void Fsync(SafeFileHandle handle, string? path = null)
    {
        ArgumentNullException.ThrowIfNull(handle);
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(handle);
            return;
        }

        int errno = FsyncErrno(handle);
        if (errno != 0) throw Failed("fsync", path, errno);
    }

    /// <summary>Waits until a folder's entries (names, renames) are on the device. Elsewhere: does nothing.</summary>
    /// <returns>False where the file system cannot sync folders.</returns>
    /// <exception cref="IOException">The folder cannot be opened, or the device reported an error.</exception>
    public static bool FsyncDirectory(string path)
    {
        RequirePath(path);
        if (!OperatingSystem.IsLinux()) return false;
        using SafeFileHandle handle = OpenReadOnly(path, out int errno) ?? throw Failed("open", path, errno);
        errno = FsyncErrno(handle);
        if (errno is EINVAL or EOPNOTSUPP) return false;
        return errno == 0 ? true : throw Failed("fsync", path, errno);
    }

    /// <summary>
    /// Renames a file or folder, replacing a file (or empty folder) at the new name; never copies. Elsewhere: a managed move.
    /// </summary>
    /// <exception cref="IOException">The system refused; error number 18 means another file system.</exception>
    public static void Rename(string from, string to)
    {
        RequirePath(from);
        RequirePath(to);
        if (!OperatingSystem.IsLinux())
        {
            if (Directory.Exists(from)) Directory.Move(from, to);
            else File.Move(from, to, overwrite: true);
            return;
        }

        if (rename(from, to) != 0) throw Failed("rename", to, Marshal.GetLastPInvokeError());
    }

    /// <summary>Renames only when nothing is at the new name. Elsewhere: always false.</summary>
    /// <returns>False where the file system or system does not offer this; then nothing was done.</returns>
    /// <exception cref="IOException">The system refused; error number 17 means that the new name exists.</exception>
    public static bool RenameNoReplace(string from, string to) => RenameWithFlags(from, to, RenameNoReplaceFlag);

    /// <summary>Swaps two names, files or folders, in one step. Elsewhere: always false.</summary>
    /// <returns>False where the file system or system does not offer this; then nothing was done.</returns>
    /// <exception cref="IOException">The system refused.</exception>
    public static bool RenameExchange(string first, string second) => RenameWithFlags(first, second, RenameExchangeFlag);

    /// <summary>
    /// Asks the kernel to start writing a range now, so that a later <see cref="Fsync"/> has less to wait for. A hint: it
    /// promises nothing and failures are ignored. Elsewhere: does nothing.
    /// </summary>
    public static void SyncFileRangeStart(SafeFileHandle handle, long offset, long length)
    {
        ArgumentNullException.ThrowIfNull(handle);
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = sync_file_range(handle, offset, length, SyncFileRangeWrite);
        }
        catch (EntryPointNotFoundException)
        {
            // A libc without the call: the hint is only lost.
        }
    }

    internal static IOException Failed(string call, string? path, int errno)
    {
        string where = path is null ? "" : " " + DisplayText.Escape(path);
        return new IOException($"{call}{where}: {Marshal.GetPInvokeErrorMessage(errno)}", errno);
    }

    /// <summary>
    /// Opens for reading without blocking on a pipe and without the advisory lock that .NET takes on every file it opens.
    /// </summary>
    internal static SafeFileHandle? OpenReadOnly(string path, out int errno)
    {
        int descriptor;
        do
        {
            descriptor = open(path, OpenReadOnlyNonBlocking);
            errno = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (errno == EINTR);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>The path with every link and every <c>..</c> resolved, or null when something on it is missing.</summary>
    public static string? RealPath(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            FileSystemInfo info = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
            return info.Exists ? (info.ResolveLinkTarget(returnFinalTarget: true) ?? info).FullName : null;
        }

        nint text = realpath(path, 0);
        if (text == 0) return null;
        string? real = Marshal.PtrToStringUTF8(text);
        unsafe
        {
            // realpath allocated with malloc because it was given no buffer.
            NativeMemory.Free((void*)text);
        }

        return real;
    }

    private static void RequirePath(string path, [CallerArgumentExpression(nameof(path))] string? name = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path, name);
        // The call would stop reading at the NUL and work on another file.
        if (path.Contains('\0', StringComparison.Ordinal)) throw new ArgumentException("a path cannot contain NUL", name);
    }

    private static int FsyncErrno(SafeFileHandle handle)
    {
        // Only an interrupted call is made again. Any other failure is final: a second fsync would report success for lost pages.
        int errno;
        do errno = fsync(handle) == 0 ? 0 : Marshal.GetLastPInvokeError();
        while (errno == EINTR);
        return errno;
    }

    private static bool RenameWithFlags(string from, string to, uint flags)
    {
        RequirePath(from);
        RequirePath(to);
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            if (renameat2(AtCwd, from, AtCwd, to, flags) == 0) return true;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }

        int errno = Marshal.GetLastPInvokeError();
        return errno is EINVAL or ENOSYS or EOPNOTSUPP ? false : throw Failed("rename", to, errno);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle handle);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int fromFolder, string from, int toFolder, string to, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sync_file_range(SafeFileHandle handle, long offset, long length, uint flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint realpath(string path, nint buffer);
}
