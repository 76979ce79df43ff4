namespace Bnb.Quant.Gpu.Devices;

/// <summary>A device failed or cannot be used. The text names the device and what the driver said.</summary>
public sealed class GpuException : Exception
{
    /// <summary>With a text.</summary>
    public GpuException(string message)
        : base(message)
    {
    }

    /// <summary>With a text and what the driver's layer threw.</summary>
    public GpuException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Without a text.</summary>
    public GpuException()
    {
    }
}
