using System.Text;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using FsCheck;
using FsCheck.Fluent;

namespace Bnb.Formats.Tests;

public sealed class SafetensorsHeaderWriterTests
{
    private static readonly Dictionary<string, string> Pt = new() { ["format"] = "pt" };

    [Fact]
    public void Write_TwoTensors_GivesTheseBytes()
    {
        byte[] bytes = SafetensorsHeaderWriter.Write(
            [new("w", DType.BF16, TensorShape.Of(2, 3), 0, 12), new("s", DType.F32, TensorShape.Scalar, 12, 16)], Pt);

        string json = """{"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"s":{"dtype":"F32","shape":[],"data_offsets":[12,16]}}""";
        string padded = json.PadRight((json.Length + 7) / 8 * 8);
        Assert.Equal([.. BitConverter.GetBytes((ulong)padded.Length), .. Encoding.ASCII.GetBytes(padded)], bytes);
    }

    [Fact]
    public void Write_NoTensorsNoMetadata_IsAnEmptyObject() =>
        Assert.Equal("\b\0\0\0\0\0\0\0{}      ", Encoding.ASCII.GetString(SafetensorsHeaderWriter.Write([], null)));

    [Fact]
    public void Write_MetadataInAnyOrder_GivesTheSameBytes()
    {
        byte[] one = SafetensorsHeaderWriter.Write([], new Dictionary<string, string> { ["b"] = "1", ["a"] = "2" });
        byte[] two = SafetensorsHeaderWriter.Write([], new Dictionary<string, string> { ["a"] = "2", ["b"] = "1" });

        Assert.Equal(one, two);
        Assert.Contains("""{"__metadata__":{"a":"2","b":"1"}}""", Encoding.ASCII.GetString(one), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 16)]
    [InlineData(16, 16)]
    [InlineData(17, 24)]
    [InlineData(4096, 4096)]
    public void Write_MinimumLength_PadsTheWholePrefix(int minimum, int expected) =>
        Assert.Equal(expected, SafetensorsHeaderWriter.Write([], null, minimum).Length);

    [Fact]
    public void ToMeasure_TellsTheLengthOfWhatIsWritten()
    {
        SafetensorsHeaderBuilder measured = SafetensorsHeaderBuilder.ToMeasure(Pt);
        Assert.Equal(SafetensorsHeaderWriter.Write([], Pt).Length, measured.Length);
        List<TensorInfo> tensors = [];
        foreach (string name in (string[])["w", "a\"b\\c", "é\n\u0001", ""])
        {
            tensors.Add(new TensorInfo(name, DType.BF16, TensorShape.Of(2, 3), tensors.Count * 12, (tensors.Count + 1) * 12));
            measured.Add(name, DType.BF16, tensors[^1].Shape, tensors[^1].Begin, tensors[^1].End);

            Assert.Equal(SafetensorsHeaderWriter.Write(tensors, Pt).Length, measured.Length);
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 0)]
    [InlineData(3, 200_000)]
    [InlineData(5000, 0)]
    [InlineData(5000, 1_000_000)]
    public void InPieces_IsWhatIsWrittenWhole(int count, int minimum)
    {
        List<TensorInfo> tensors = [.. Enumerable.Range(0, count).Select(i => new TensorInfo($"layers.{i}.weight", DType.U8, TensorShape.Of(1), i, i + 1))];
        byte[] whole = SafetensorsHeaderWriter.Write(tensors, Pt, minimum);
        List<byte> written = [];
        SafetensorsHeaderBuilder pieces = SafetensorsHeaderBuilder.InPieces(Pt, whole.Length, piece => written.AddRange(piece.Span));
        foreach (TensorInfo tensor in tensors) pieces.Add(tensor.Name, tensor.DType, tensor.Shape, tensor.Begin, tensor.End);
        pieces.Complete();
        Assert.Equal(whole, written);
    }

    [Fact]
    public void InPieces_OfTooShortALength_IsRefused()
    {
        Assert.Throws<InvalidOperationException>(SafetensorsHeaderBuilder.InPieces(Pt, 16, static _ => { }).Complete);
        Assert.Throws<ArgumentException>(() => SafetensorsHeaderBuilder.InPieces(Pt, 17, static _ => { }));
    }

    [Fact]
    public void Write_AwkwardNames_AreValidJson()
    {
        string name = "a\"\\\n\r\t\0\u001b\u007fé日😀/";
        byte[] bytes = SafetensorsHeaderWriter.Write([new(name, DType.U8, TensorShape.Of(1), 0, 1)], null);

        Assert.Equal(name, SafetensorsHeader.Parse(bytes.AsSpan(8), bytes.Length + 1, "x").Tensors[0].Name);
    }

    public static TheoryData<string> CallerBugs => ["gap", "size", "twice", "reserved", "surrogate"];

    [Theory]
    [MemberData(nameof(CallerBugs))]
    public void Write_CallerBug_IsAnArgumentException(string bug)
    {
        TensorShape one = TensorShape.Of(1);
        TensorInfo[] tensors = bug switch
        {
            "gap" => [new("a", DType.U8, one, 1, 2)],
            "size" => [new("a", DType.U8, one, 0, 2)],
            "twice" => [new("a", DType.U8, one, 0, 1), new("a", DType.U8, one, 1, 2)],
            "reserved" => [new("__metadata__", DType.U8, one, 0, 1)],
            _ => [new("\ud800", DType.U8, one, 0, 1)],
        };

        Assert.ThrowsAny<ArgumentException>(() => SafetensorsHeaderWriter.Write(tensors, null));
    }

    [Fact]
    public void Write_ThenParse_IsTheSame()
    {
        Gen<(string Name, DType DType, long[] Shape)> tensor =
            from name in ArbMap.Default.GeneratorFor<NonNull<string>>()
            from dtype in Gen.Elements(DTypes.All.Where(d => d.BitSize() >= 8))
            from shape in Gen.ArrayOf(Gen.Choose(0, 5).Select(d => (long)d))
            select (new string([.. name.Get.Where(c => !char.IsSurrogate(c))]), dtype, shape.Take(4).ToArray());
        Prop.ForAll(Gen.ListOf(tensor).ToArbitrary(), list =>
        {
            List<TensorInfo> tensors = [];
            long end = 0;
            foreach ((string name, DType dtype, long[] shape) in list.DistinctBy(item => item.Name))
            {
                TensorShape dimensions = TensorShape.Of(shape);
                long size = dtype.ByteCount(dimensions.ElementCount)!.Value;
                tensors.Add(new(name, dtype, dimensions, end, end + size));
                end += size;
            }

            byte[] bytes = SafetensorsHeaderWriter.Write(tensors, Pt);
            SafetensorsHeader header = SafetensorsHeader.Parse(bytes.AsSpan(8), bytes.Length + end, "x");
            return header.Tensors.OrderBy(t => t.Name).SequenceEqual(tensors.OrderBy(t => t.Name)) && bytes.Length % 8 == 0
                && header.DataStart == bytes.Length && header.Metadata["format"] == "pt";
        }).QuickCheckThrowOnFailure();
    }
}
