using Bnb.Formats.IO;
using Bnb.Formats.Torch;

namespace Bnb.Formats.Tests.Torch;

/// <summary>The bytes of a tensor of a PyTorch file, row by row.</summary>
internal static class TensorBytes
{
    public static byte[] Read(IByteSource source, TorchTensor tensor)
    {
        byte[] bytes = new byte[tensor.Info.ByteCount];
        if (tensor.Strides is { } strides) StridedReader.Read(source, strides, 0, bytes);
        else source.Read(tensor.Info.Begin, bytes);
        return bytes;
    }
}
