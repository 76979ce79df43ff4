using Bnb.Formats.IO;

namespace Bnb.Formats.Tests.Torch;

/// <summary>Bytes in memory as a file.</summary>
internal sealed class MemorySource(byte[] bytes, string path = "/m/pytorch_model.bin") : IByteSource
{
    public string Path => path;

    public long Length => bytes.Length;

    /// <summary>Reads so far, and the bytes they gave.</summary>
    public (int Calls, long Bytes) Reads { get; private set; }

    public void Read(long offset, Span<byte> destination)
    {
        bytes.AsSpan(checked((int)offset), destination.Length).CopyTo(destination);
        Reads = (Reads.Calls + 1, Reads.Bytes + destination.Length);
    }
}
