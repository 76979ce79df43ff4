using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Work;

/// <summary>
/// The bytes of several small tensors that follow each other in a file, read at once: of a small tensor a call to the system costs
/// more than its bytes. Not thread-safe.
/// </summary>
internal sealed class JoinedReads
{
    private const int Capacity = 5 << 16;

    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(Capacity, pinned: true);
    private CheckpointFile? _file;
    private long _begin;
    private int _length;

    /// <summary>Reads the tensors that will be asked for next, where they are near each other; else, and where that fails, nothing.</summary>
    public void Read(TensorSource source, IReadOnlyList<TensorRun> tensors)
    {
        _file = null;
        CheckpointTensor first = tensors[0].Plan.Source;
        long end = first.FileOffset;
        foreach (TensorRun tensor in tensors)
        {
            CheckpointTensor stored = tensor.Plan.Source;
            bool follows = tensor.Plan.IsPlain && stored.IsInOnePiece && stored.File == first.File && stored.FileOffset >= end;
            if (!follows || stored.FileOffset + stored.ByteCount - first.FileOffset > Capacity) return;
            end = stored.FileOffset + stored.ByteCount;
        }

        (_begin, _length) = (first.FileOffset, (int)(end - first.FileOffset));
        try
        {
            source.ReadBytes(first, 0, _bytes.AsSpan(0, _length));
            _file = first.File;
        }
        catch (Exception failed) when (failed is IOException or CheckpointFormatException)
        {
            // Each will be read by itself, and the one that cannot be says so.
        }
    }

    /// <summary>Copies bytes of a tensor if they were read; false if not.</summary>
    public bool TryCopy(CheckpointTensor tensor, long offset, Span<byte> destination)
    {
        long at = tensor.FileOffset + offset - _begin;
        if (tensor.File != _file || at < 0 || at + destination.Length > _length || !tensor.IsInOnePiece) return false;
        _bytes.AsSpan((int)at, destination.Length).CopyTo(destination);
        return true;
    }
}
