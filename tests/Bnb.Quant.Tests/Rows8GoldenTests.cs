using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Every int8 code and SCB that bitsandbytes wrote, on every path of this machine.</summary>
public class Rows8GoldenTests
{
    [Theory]
    [InlineData("int8_float32_40x96.safetensors")]
    [InlineData("int8_float16_40x96.safetensors")]
    [InlineData("int8_bfloat16_40x96.safetensors")]
    public void Quantize_GoldenInput_GivesGoldenBytes(string file)
    {
        GoldenTensors golden = GoldenTensors.Load(file);
        AssertGolden(golden, "A", golden, "int8", "SCB");
    }

    [Fact]
    public void Quantize_TinyLlama_GivesGoldenBytes()
    {
        GoldenTensors[] shards =
        [
            .. Directory.GetFiles(Golden.File("tiny-llama", "source"), "*.safetensors").Select(file => GoldenTensors.Load(file)),
        ];
        GoldenTensors golden = GoldenTensors.Load("tiny-llama", "int8", "model.safetensors");
        string[] modules = [.. golden.Names.Where(name => name.EndsWith(".SCB", StringComparison.Ordinal)).Select(name => name[..^4])];
        Assert.Equal(14, modules.Length);
        foreach (string module in modules)
        {
            GoldenTensors source = shards.Single(shard => shard.Names.Contains(module + ".weight"));
            AssertGolden(source, module + ".weight", golden, module + ".weight", module + ".SCB");
        }
    }

    private static void AssertGolden(GoldenTensors source, string weight, GoldenTensors golden, string codes, string scb)
    {
        var type = Enum.Parse<ElementType>(source.Dtype(weight));
        int columns = (int)source.Shape(weight)[1];
        foreach (KernelPath path in KernelPaths.Available)
        {
            QuantizedRows result = Rows8.Run(type, columns, source.Bytes(weight), path);
            Assert.Equal(golden.Bytes(codes), MemoryMarshal.AsBytes(result.Codes.AsSpan()).ToArray());
            Assert.Equal(golden.Bytes(scb), MemoryMarshal.AsBytes(result.AbsmaxBits.AsSpan()).ToArray());
            Assert.True(result.Finite);
        }
    }
}
