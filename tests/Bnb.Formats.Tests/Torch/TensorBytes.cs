using Bnb.Formats.IO;
using Bnb.Formats.Torch;

namespace Bnb.Formats.Tests.Torch;

/// <summary>The bytes of a tensor of a PyTorch file, row by row.</summary>
internal static class TensorBytes
{
    public static byte[] Read(IByteSource source, TorchTensor tensor)
    {
        byte[] bytes = new byte[tensor.Info.ByteCount];
        tensor.Read(source, 0, bytes);
        return bytes;
    }
}
