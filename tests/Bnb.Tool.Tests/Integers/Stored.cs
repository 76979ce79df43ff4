using System.Runtime.InteropServices;
using Bnb.Tool.Tests.Diff;

namespace Bnb.Tool.Tests.Integers;

/// <summary>Numbers as safetensors stores them, by its names of dtypes.</summary>
internal static class Stored
{
    public static float[] Values(string dtype, byte[] bytes) => dtype switch
    {
        "F64" => [.. MemoryMarshal.Cast<byte, double>(bytes).ToArray().Select(value => (float)value)],
        "F32" => HandPacked.Floats(bytes),
        "F16" => [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(value => (float)value)],
        _ => [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(value => BitConverter.UInt32BitsToSingle((uint)value << 16))],
    };

    /// <summary>Rounded to the dtype and stored.</summary>
    public static byte[] Bytes(string dtype, float[] values)
    {
        string torch = Torch(dtype);
        return HandPacked.Store(Array.ConvertAll(values, value => HandPacked.Round(value, torch)), torch);
    }

    public static string Torch(string dtype) => dtype switch
    {
        "F16" => "float16",
        "BF16" => "bfloat16",
        _ => "float32",
    };
}
