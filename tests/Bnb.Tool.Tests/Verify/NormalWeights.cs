using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>Independent normal values with a deviation of 0.02, as trained weights look and as theory supposes.</summary>
internal static class NormalWeights
{
    public static TestTensor Of(string name, string dtype, int seed, params long[] shape)
    {
        float[] values = Values(seed, (int)shape.Aggregate(1L, (product, dimension) => product * dimension), 0.02f);
        if (dtype == "F32") return new TestTensor(name, dtype, shape, MemoryMarshal.AsBytes<float>(values).ToArray());

        byte[] data = new byte[values.Length * 2];
        for (int i = 0; i < values.Length; i++)
        {
            Span<byte> place = data.AsSpan(i * 2);
            if (dtype == "F16") BinaryPrimitives.WriteHalfLittleEndian(place, (Half)values[i]);
            else BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16));
        }

        return new TestTensor(name, dtype, shape, data);
    }

    public static float[] Values(int seed, int count, float deviation = 1)
    {
        var random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = (float)(deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }
}
