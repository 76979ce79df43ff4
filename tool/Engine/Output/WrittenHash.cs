using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Engine.Output;

/// <summary>
/// SHA-256 of a file while it is written in pieces and in any order: a thread of its own follows what is written without a gap. The
/// bytes are read back from the file, soon enough that the kernel still has them; after the last write little is left to do.
/// </summary>
internal sealed class WrittenHash : IDisposable
{
    private const int PieceBytes = 1 << 20;
    private readonly SafeFileHandle _handle;
    private readonly Thread _thread;
    private readonly Lock _gate = new();
    private readonly Dictionary<long, long> _ahead = [];
    private readonly AutoResetEvent _more = new(initialState: false);
    private long _gapless;
    private bool _stopped;
    private long? _length;
    private string? _sha256;
    private ExceptionDispatchInfo? _failure;

    /// <param name="handle">The file, readable; stays the caller's.</param>
    public WrittenHash(SafeFileHandle handle)
    {
        _handle = handle;
        _thread = new Thread(Follow) { IsBackground = true, Name = "hash" };
        _thread.Start();
    }

    /// <summary>Says that a range has been written. Thread-safe; no range is written twice.</summary>
    public void Written(long offset, long length)
    {
        if (length == 0) return;
        lock (_gate)
        {
            _ahead.Add(offset, offset + length);
            if (offset != _gapless) return;
            while (_ahead.Remove(_gapless, out long end)) _gapless = end;
        }

        _more.Set();
    }

    /// <summary>Waits for the hash of the whole file, which nobody writes any more.</summary>
    /// <param name="length">Its length, whether all of it was announced or not.</param>
    /// <returns>Lower-case hexadecimal.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public string Finish(long length)
    {
        lock (_gate) _length = length;
        _more.Set();
        _thread.Join();
        _failure?.Throw();
        return _sha256!;
    }

    /// <summary>Ends the thread, whatever it has done.</summary>
    public void Dispose()
    {
        lock (_gate) _stopped = true;
        if (_thread.IsAlive)
        {
            _more.Set();
            _thread.Join();
        }

        _more.Dispose();
    }

    private void Follow()
    {
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] piece = new byte[PieceBytes];
            long done = 0;
            while (true)
            {
                long end;
                bool last;
                lock (_gate)
                {
                    if (_stopped) return;
                    (end, last) = _length is { } length ? (length, true) : (_gapless, false);
                }

                // Whole pieces, so that a file of many small tensors is not read in as many small reads.
                for (long most = last ? end : end - PieceBytes; last ? done < end : done <= most;)
                {
                    if (Volatile.Read(ref _stopped)) return;
                    int read = RandomAccess.Read(_handle, piece.AsSpan(0, (int)Math.Min(PieceBytes, end - done)), done);
                    if (read == 0) throw new EndOfStreamException($"the file ends at {done} of {end} bytes");
                    hash.AppendData(piece.AsSpan(0, read));
                    done += read;
                }

                if (last)
                {
                    _sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
                    return;
                }

                _more.WaitOne();
            }
        }
        catch (Exception failure)
        {
            // Whatever it is, the waiting thread reports it: here it would end the process.
            _failure = ExceptionDispatchInfo.Capture(failure);
        }
    }
}
