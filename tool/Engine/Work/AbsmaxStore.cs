using System.Runtime.InteropServices;

namespace Bnb.Engine.Work;

/// <summary>
/// Keeps a tensor's float32 absmax values between quantizing its weights and quantizing the absmax values themselves,
/// which needs the mean of all of them: in memory while the budget lends it, in a scratch file otherwise.
/// </summary>
internal abstract class AbsmaxStore : IDisposable
{
    /// <param name="scratchPath">Where a scratch file may be created; it is gone after <see cref="Dispose"/>.</param>
    public static AbsmaxStore Create(long blockCount, MemoryBudget budget, Func<string> scratchPath)
    {
        long bytes = blockCount * sizeof(float);
        return blockCount <= Array.MaxLength && budget.TryReserve(bytes)
            ? new InMemory((int)blockCount, budget)
            : new InFile(scratchPath());
    }

    /// <summary>Stores values from <paramref name="firstBlock"/> on; different workers write different ranges.</summary>
    public abstract void Write(long firstBlock, ReadOnlySpan<float> absmax);

    public abstract void Read(long firstBlock, Span<float> absmax);

    public abstract void Dispose();

    private sealed class InMemory(int blockCount, MemoryBudget budget) : AbsmaxStore
    {
        private float[] _values = GC.AllocateUninitializedArray<float>(blockCount);

        public override void Write(long firstBlock, ReadOnlySpan<float> absmax) => absmax.CopyTo(_values.AsSpan((int)firstBlock));

        public override void Read(long firstBlock, Span<float> absmax) =>
            _values.AsSpan((int)firstBlock, absmax.Length).CopyTo(absmax);

        public override void Dispose()
        {
            if (_values.Length == 0) return;
            budget.Release((long)_values.Length * sizeof(float));
            _values = [];
        }
    }

    private sealed class InFile(string path) : AbsmaxStore
    {
        private readonly Microsoft.Win32.SafeHandles.SafeFileHandle _handle = File.OpenHandle(
            path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, FileOptions.DeleteOnClose);

        public override void Write(long firstBlock, ReadOnlySpan<float> absmax) =>
            RandomAccess.Write(_handle, MemoryMarshal.AsBytes(absmax), firstBlock * sizeof(float));

        public override void Read(long firstBlock, Span<float> absmax)
        {
            Span<byte> bytes = MemoryMarshal.AsBytes(absmax);
            long offset = firstBlock * sizeof(float);
            while (bytes.Length > 0)
            {
                int read = RandomAccess.Read(_handle, bytes, offset);
                if (read == 0) throw new EndOfStreamException($"scratch file {path} is shorter than what was written to it");
                bytes = bytes[read..];
                offset += read;
            }
        }

        public override void Dispose() => _handle.Dispose();
    }
}
