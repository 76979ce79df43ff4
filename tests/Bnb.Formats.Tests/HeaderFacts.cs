using System.Numerics;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;

namespace Bnb.Formats.Tests;

/// <summary>What must hold for every header that is accepted, checked the slow way.</summary>
internal static class HeaderFacts
{
    public static void AssertTiles(SafetensorsHeader header, long fileLength)
    {
        BigInteger end = 0;
        foreach (TensorInfo tensor in header.Tensors)
        {
            Assert.Equal(end, tensor.Begin);
            BigInteger bits = tensor.Shape.Dimensions.Aggregate(new BigInteger(tensor.DType.BitSize()), (product, d) => product * d);
            Assert.Equal(bits, (BigInteger)tensor.ByteCount * 8);
            end = tensor.End;
        }

        Assert.Equal(fileLength, header.DataStart + end);
        Assert.Equal(header.Tensors.Count, header.Tensors.Select(tensor => tensor.Name).Distinct().Count());
    }
}
