using Bnb.Formats.Tensors;

namespace Bnb.Engine.Work;

/// <summary>A tensor of which short pieces are read all over: whole in memory where that is lent, else from the file.</summary>
internal sealed class HeldTensor(CheckpointTensor tensor, TensorSource source)
{
    private byte[]? _whole;

    /// <summary>Reads the tensor whole when memory is lent for it.</summary>
    public void Hold(Func<long, bool> lend)
    {
        if (_whole is not null || tensor.ByteCount > Array.MaxLength || !lend(tensor.ByteCount)) return;
        byte[] whole = GC.AllocateUninitializedArray<byte>((int)tensor.ByteCount);
        source.ReadBytes(tensor, 0, whole);
        _whole = whole;
    }

    /// <summary>Gives back what was lent.</summary>
    public void Release(Action<long> giveBack)
    {
        if (_whole is null) return;
        giveBack(_whole.Length);
        _whole = null;
    }

    /// <summary>Bytes of the tensor: a part of it in memory, or read into <paramref name="scratch"/>.</summary>
    public ReadOnlySpan<byte> Read(long offset, int length, Span<byte> scratch)
    {
        if (_whole is { } whole) return whole.AsSpan((int)offset, length);
        Span<byte> piece = scratch[..length];
        source.ReadBytes(tensor, offset, piece);
        return piece;
    }
}
