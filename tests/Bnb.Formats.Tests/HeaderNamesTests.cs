using System.Buffers.Binary;
using System.Text;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>The names of a header, read without the rest.</summary>
public sealed class HeaderNamesTests
{
    private const string Entry = """{"dtype":"U8","shape":[1],"data_offsets":[0,1],"later":{"a":[1,{"b":2}]}}""";

    [Theory]
    [InlineData("{}", 0)]
    [InlineData("""{"__metadata__":{"format":"pt"}}""", 0)]
    [InlineData($$"""{"__metadata__":{"a":"b"},"a.weight":{{Entry}}}   """, 1, "a.weight")]
    [InlineData($$"""{"a\"\u00e9\ud83d\ude00\n":{{Entry}} }""", 1, "a\"é😀\n")]
    public void ReadNames_OfAHeader_AreThoseOfTheStrictReader(string json, int data, params string[] expected)
    {
        using var folder = new TempFolder();
        string path = Write(folder, Encoding.UTF8.GetBytes(json), data);
        List<string> names = [];
        Assert.Equal(data, SafetensorsFile.ReadNames(path, name => names.Add(Encoding.UTF8.GetString(name))));
        Assert.Equal(expected, names);
        Assert.Equal(SafetensorsFile.ReadHeader(path).Tensors.Select(static tensor => tensor.Name), names);
    }

    [Fact]
    public void ReadNames_OfALongHeader_AreAll()
    {
        using var folder = new TempFolder();
        // Names longer than the pieces that are read, and more of them than one holds.
        string[] expected = [new string('x', 300_000), .. Enumerable.Range(0, 5000).Select(static i => $"layers.{i}.é\\"), new string('\u0001', 70_000)];
        byte[] header = SafetensorsHeaderWriter.Write(
            [.. expected.Select(static (name, i) => new TensorInfo(name, DType.U8, TensorShape.Of(1), i, i + 1))], new Dictionary<string, string> { ["format"] = new('y', 200_000) });
        string path = folder["model.safetensors"];
        File.WriteAllBytes(path, [.. header, .. new byte[expected.Length]]);
        List<string> names = [];
        Assert.Equal(expected.Length, SafetensorsFile.ReadNames(path, name => names.Add(Encoding.UTF8.GetString(name))));
        Assert.Equal(expected, names);
    }

    [Theory]
    [InlineData("[]", FormatError.SafetensorsNotJson)]
    [InlineData("{\"a\":", FormatError.SafetensorsNotJson)]
    [InlineData("{\"a\":1} x", FormatError.SafetensorsNotJson)]
    [InlineData("{\"\\ud800\":1}", FormatError.SafetensorsNotJson)]
    public void ReadNames_OfNoHeader_IsRefused(string json, FormatError error)
    {
        using var folder = new TempFolder();
        string path = Write(folder, Encoding.UTF8.GetBytes(json), 0);
        Assert.Equal(error, Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.ReadNames(path, static _ => { })).Error);
    }

    [Fact]
    public void ReadNames_NotUtf8_IsRefused()
    {
        using var folder = new TempFolder();
        string path = Write(folder, [.. "{\"a"u8, 0xFF, .. "\":1}"u8], 0);
        Assert.Equal(FormatError.SafetensorsNotUtf8, Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.ReadNames(path, static _ => { })).Error);
    }

    private static string Write(TempFolder folder, byte[] json, int data)
    {
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, json.Length);
        string path = folder["model.safetensors"];
        File.WriteAllBytes(path, [.. prefix, .. json, .. new byte[data]]);
        return path;
    }
}
