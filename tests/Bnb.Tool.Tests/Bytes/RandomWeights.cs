using System.Buffers.Binary;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Bytes;

/// <summary>Tensors of finite values of every character, from a seed.</summary>
internal static class RandomWeights
{
    public static TestTensor Of(string name, string dtype, int seed, params long[] shape) => Within(float.MaxValue, name, dtype, seed, shape);

    /// <summary>The same with no magnitude beyond a limit, such as 65504 for what must fit float16.</summary>
    public static TestTensor Within(float limit, string name, string dtype, int seed, params long[] shape)
    {
        long count = shape.Aggregate(1L, (product, dimension) => product * dimension);
        float[] values = FloatPalette.Mixed(new Random(seed), (int)count, nonFinite: false);
        for (int i = 0; i < count; i++) values[i] = Math.Clamp(values[i], -limit, limit);
        int size = SizeOf(dtype);
        byte[] data = new byte[count * size];
        for (int i = 0; i < count; i++)
        {
            Span<byte> place = data.AsSpan(i * size);
            if (dtype == "F32") BinaryPrimitives.WriteSingleLittleEndian(place, values[i]);
            else if (dtype == "F16") BinaryPrimitives.WriteHalfLittleEndian(place, (Half)Math.Clamp(values[i], -65504f, 65504f));
            else if (dtype == "BF16") BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16));
            // A bit more than a float32 holds, so that rounding is really needed, but within its range.
            else BinaryPrimitives.WriteDoubleLittleEndian(place, Math.Clamp(values[i], -1e38f, 1e38f) * (1 + 1e-9));
        }

        return new TestTensor(name, dtype, shape, data);
    }

    public static int SizeOf(string dtype) => dtype switch
    {
        "F64" => 8,
        "F32" => 4,
        "F16" or "BF16" => 2,
        _ => throw new ArgumentException(dtype, nameof(dtype)),
    };
}
