using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>The golden cases as checkpoints: what bitsandbytes decodes from them is what <c>dequantize</c> writes.</summary>
public sealed class DequantizeGoldenTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string, int> Cases()
    {
        var cases = new TheoryData<string, string, int>();
        foreach (JsonElement row in JsonDocument.Parse(File.ReadAllBytes(Golden.File("cases.json"))).RootElement.EnumerateArray())
        {
            string file = row.GetProperty("file").GetString()!;
            if (file.StartsWith("case", StringComparison.Ordinal))
                cases.Add(file, row.GetProperty("quant_type").GetString()!, row.GetProperty("blocksize").GetInt32());
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Dequantize_GoldenCase_GivesTheLibrarysValues(string file, string quantType, int blocksize)
    {
        GoldenTensors golden = GoldenTensors.Load(file);
        string source = Write(golden, quantType, blocksize);

        ToolRun.Succeed("dequantize", source, "--output", _folder["out"]);

        (var info, byte[] actual) = OutputFolder.Tensors(_folder["out"])["w.weight"];
        byte[] expected = golden.Bytes("dequant");
        Assert.Equal(golden.Shape("A"), info.Shape.Dimensions);
        Assert.Equal(expected.Length, actual.Length);
        // Where a block of 256 spans rows of 128, the library's CPU path decoded with another block's absmax: only the first
        // block is evidence there.
        int size = golden.Dtype("A") == "F32" ? 4 : 2;
        bool spansRows = blocksize == 256 && golden.Shape("A")[1] == 128;
        int count = spansRows ? blocksize : expected.Length / size;
        for (int i = 0; i < count; i++)
        {
            // By value, so that the sign of a zero does not count: the library's paths differ in it.
            float ours = Widen(golden.Dtype("A"), actual, i), theirs = Widen(golden.Dtype("A"), expected, i);
            Assert.True(ours == theirs, $"[{i}] is {ours}, the library has {theirs}");
        }
    }

    [Theory]
    [InlineData("nf4-dq")]
    [InlineData("fp4")]
    public void Dequantize_GoldenModel_HasTheSourcesTensors(string folder)
    {
        ToolRun.Succeed("dequantize", Golden.File("tiny-llama", folder, "model.safetensors"), "--output", _folder["out"]);

        var source = OutputFolder.Tensors(Golden.File("tiny-llama", "source"));
        var back = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(source.Keys.Order(StringComparer.Ordinal), back.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, (var info, byte[] bytes)) in source)
        {
            Assert.Equal((info.DType, info.Shape), (back[name].Info.DType, back[name].Info.Shape));
            if (!name.Contains("_proj", StringComparison.Ordinal)) Assert.Equal(bytes, back[name].Bytes);
        }
    }

    /// <summary>The codes of the library's CPU path, because the file's values are that path's.</summary>
    private string Write(GoldenTensors golden, string quantType, int blocksize)
    {
        byte[] codes = golden.Bytes("cpu_packed"), absmax = golden.Bytes("absmax");
        string dtype = golden.Dtype("A") switch { "F32" => "float32", "F16" => "float16", _ => "bfloat16" };
        byte[] state = Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"{{\"quant_type\": \"{quantType}\", \"blocksize\": {blocksize}, \"dtype\": \"{dtype}\", \"shape\": [{string.Join(", ", golden.Shape("A"))}]}}"));
        return CheckpointBuilder.SingleFile(
            _folder["source"],
            [
                new TestTensor("w.weight", "U8", [codes.Length, 1], codes),
                new TestTensor("w.weight.absmax", "F32", [absmax.Length / 4], absmax),
                new TestTensor("w.weight.quant_map", "F32", [16], golden.Bytes("quant_map")),
                new TestTensor($"w.weight.quant_state.bitsandbytes__{quantType}", "U8", [state.Length], state),
            ]);
    }

    private static float Widen(string dtype, byte[] stored, int index) => dtype switch
    {
        "F32" => MemoryMarshal.Cast<byte, float>(stored)[index],
        "F16" => (float)MemoryMarshal.Cast<byte, Half>(stored)[index],
        _ => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Cast<byte, ushort>(stored)[index] << 16),
    };
}
