using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>One buffer on the device with its page-locked mirror on the host.</summary>
internal sealed class Port(Accelerator accelerator) : IDisposable
{
    /// <summary>What kernels may read or write beyond the data: a unit of 32 float32.</summary>
    public const int Padding = 128;

    private MemoryBuffer1D<byte, Stride1D.Dense>? _device;
    private PageLockedArray1D<byte>? _host;

    /// <summary>The device's side; empty until <see cref="Reserve"/>.</summary>
    public ArrayView<byte> View => _device is null ? ArrayView<byte>.Empty : _device.View.BaseView;

    /// <summary>Makes room for so many bytes and the padding; frees the old room first when it does not suffice.</summary>
    public void Reserve(long bytes)
    {
        if (bytes == 0 || (_device is not null && _device.Length >= bytes + Padding)) return;
        Dispose();
        // The device's side last, because it says that there is room: either can fail.
        _host = accelerator.AllocatePageLocked1D<byte>(RoundUp(bytes) + Padding, uninitialized: false);
        _device = accelerator.Allocate1D<byte>(RoundUp(bytes) + Padding);
    }

    /// <summary>Copies host bytes through the mirror to the device, and zeros after them up to whole units.</summary>
    public void Send(AcceleratorStream stream, ReadOnlySpan<byte> bytes)
    {
        long length = RoundUp(bytes.Length);
        Span<byte> mirror = _host!.Span[..(int)length];
        bytes.CopyTo(mirror);
        mirror[bytes.Length..].Clear();
        View.SubView(0, length).CopyFrom(stream, _host.ArrayView.SubView(0, length));
    }

    /// <summary>Starts the copy of so many bytes into the mirror.</summary>
    public void Fetch(AcceleratorStream stream, int bytes)
    {
        long length = RoundUp(bytes);
        View.SubView(0, length).CopyTo(stream, _host!.ArrayView.SubView(0, length));
    }

    /// <summary>Takes fetched bytes out of the mirror; the stream must have been waited for.</summary>
    public void Take(Span<byte> bytes) => _host!.Span[..bytes.Length].CopyTo(bytes);

    /// <summary>The same from a place in the mirror.</summary>
    public void Take(long first, Span<byte> bytes) => _host!.Span.Slice((int)first, bytes.Length).CopyTo(bytes);

    public void Dispose()
    {
        (var device, var host) = (_device, _host);
        (_device, _host) = (null, null);
        try
        {
            device?.Dispose();
        }
        finally
        {
            host?.Dispose();
        }
    }

    /// <summary>To whole units of the padding.</summary>
    public static long RoundUp(long bytes) => (bytes + Padding - 1) / Padding * Padding;
}
