using System.Buffers.Binary;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary>The vectors of <c>tests/golden/sources</c> as checkpoints.</summary>
internal static class GoldenSource
{
    /// <summary>A folder of one file and its config.</summary>
    public static string Copy(TempFolder folder, string name, string from, string file = "tensors.safetensors", string? config = null)
    {
        string target = folder[name], source = Path.Combine(Golden.File("sources"), from);
        Directory.CreateDirectory(target);
        File.Copy(Path.Combine(source, file), Path.Combine(target, "model.safetensors"));
        string own = Path.Combine(source, "config.json");
        File.WriteAllText(Path.Combine(target, "config.json"), config ?? (File.Exists(own) ? File.ReadAllText(own) : "{\"model_type\": \"llama\"}"));
        return target;
    }

    /// <summary>Fails unless both hold the same values: the same bytes, but that any NaN equals any other.</summary>
    public static void AssertSame(string dtype, byte[] expected, byte[] actual, string what)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} bytes, expected {expected.Length}");
        if (expected.AsSpan().SequenceEqual(actual)) return;
        int size = dtype == "F32" ? 4 : 2;
        for (int at = 0; at < expected.Length; at += size)
        {
            if (expected.AsSpan(at, size).SequenceEqual(actual.AsSpan(at, size))) continue;
            Assert.True(IsNaN(dtype, expected.AsSpan(at)) && IsNaN(dtype, actual.AsSpan(at)), $"{what}: value {at / size} differs");
        }
    }

    private static bool IsNaN(string dtype, ReadOnlySpan<byte> stored) => dtype switch
    {
        "F32" => float.IsNaN(BinaryPrimitives.ReadSingleLittleEndian(stored)),
        "F16" => Half.IsNaN(BinaryPrimitives.ReadHalfLittleEndian(stored)),
        _ => float.IsNaN(BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(stored) << 16)),
    };
}
