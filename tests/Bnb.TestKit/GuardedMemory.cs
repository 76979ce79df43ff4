using System.Runtime.InteropServices;

namespace Bnb.TestKit;

/// <summary>Where in its pages the usable part of a <see cref="GuardedMemory"/> lies.</summary>
public enum GuardSide
{
    /// <summary>The first byte follows an inaccessible page.</summary>
    Before,

    /// <summary>The last byte is followed by an inaccessible page.</summary>
    After,
}

/// <summary>
/// Memory next to an inaccessible page: a single byte read or written beyond it ends the process. On systems without mmap it
/// is ordinary memory, so tests that rely on it also compare results.
/// </summary>
public sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int PageSize = 16384;
    private readonly nint _pages;
    private readonly nuint _totalLength;
    private readonly byte* _start;
    private readonly int _length;

    /// <summary>Allocates <paramref name="length"/> bytes, filled with 0xA5.</summary>
    public GuardedMemory(int length, GuardSide side)
    {
        int usable = (length + PageSize - 1) / PageSize * PageSize;
        _length = length;
        _totalLength = (nuint)(usable + 2 * PageSize);
        if (IsGuarding)
        {
            const int ReadWrite = 3, PrivateAnonymousLinux = 0x22, PrivateAnonymousMac = 0x1002;
            int flags = OperatingSystem.IsMacOS() ? PrivateAnonymousMac : PrivateAnonymousLinux;
            _pages = Map(0, _totalLength, ReadWrite, flags, -1, 0);
            if (_pages == -1) throw new InvalidOperationException("mmap failed");
            if (Protect(_pages, PageSize, 0) != 0 || Protect(_pages + PageSize + usable, PageSize, 0) != 0)
            {
                throw new InvalidOperationException("mprotect failed");
            }
        }
        else
        {
            _pages = (nint)NativeMemory.AllocZeroed(_totalLength);
        }

        _start = (byte*)_pages + PageSize + (side == GuardSide.Before ? 0 : usable - length);
        Span.Fill(0xA5);
    }

    /// <summary>Whether the guards are real on this system.</summary>
    public static bool IsGuarding => OperatingSystem.IsLinux() || OperatingSystem.IsMacOS();

    /// <summary>The usable bytes.</summary>
    public Span<byte> Span => new(_start, _length);

    /// <summary>The usable bytes as values of another type; the length must be a multiple of its size.</summary>
    public Span<T> As<T>()
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(Span);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (IsGuarding) _ = Unmap(_pages, _totalLength);
        else NativeMemory.Free((void*)_pages);
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint length);
}
