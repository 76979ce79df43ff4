using System.Text;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

public sealed class SafetensorsHeaderTests
{
    private static readonly string[] Seeds =
    [
        "{}",
        """{"__metadata__":{"format":"pt","k\u00e9":"é"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}""",
        """ {"z":{"dtype":"F4","shape":[0],"data_offsets":[3,3]},"b":{"data_offsets":[0,3],"x":[1,{}],"dtype":"U8","shape":[3]}} """,
    ];

    private static readonly byte[] Replacements = [.. "\"\\{}[],:0-e1 "u8, 0, 0xff];

    [Fact]
    public void Parse_HeaderOrderDiffers_GivesDataOrder()
    {
        SafetensorsHeader header = Parse(
            """{"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 16);

        Assert.Equal(["a", "b"], header.Tensors.Select(tensor => tensor.Name));
    }

    [Fact]
    public void Parse_Metadata_IsUnescaped()
    {
        SafetensorsHeader header = Parse("""{"__metadata__":{"\u0061":"\ud83d\ude00\n"}}""", 0);

        Assert.Equal("😀\n", header.Metadata["a"]);
    }

    [Fact]
    public void Parse_Truncated_NamesTheFirstCutTensorAndBothSizes()
    {
        string json = """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""";

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => Parse(json, 5));

        Assert.Equal(FormatError.SafetensorsTruncated, error.Error);
        Assert.Contains(("first cut", "b"), error.Facts);
        Assert.Contains(error.Facts, fact => fact.Value.Contains("(3 missing)", StringComparison.Ordinal));
    }

    [Fact]
    public void Parse_ControlCharactersInName_AreEscapedInTheMessageButKeptInTensor()
    {
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() =>
            Parse("""{"\u001b[31m":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4));

        Assert.Equal("\x1b[31m", error.Tensor);
        Assert.Contains("\\x1b[31m", error.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_EveryTruncation_ThrowsOnlyFormatErrors()
    {
        foreach (byte[] seed in Seeds.Select(Encoding.UTF8.GetBytes))
        {
            for (int length = 0; length <= seed.Length; length++) Try(seed[..length]);
        }
    }

    [Fact]
    public void Parse_EveryBitFlip_ThrowsOnlyFormatErrors()
    {
        foreach (byte[] seed in Seeds.Select(Encoding.UTF8.GetBytes))
        {
            for (int bit = 0; bit < seed.Length * 8; bit++)
            {
                byte[] flipped = [.. seed];
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                Try(flipped);
            }
        }
    }

    [Fact]
    public void Parse_EveryByteReplacedByTelling_ThrowsOnlyFormatErrors()
    {
        foreach (byte[] seed in Seeds.Select(Encoding.UTF8.GetBytes))
        {
            for (int at = 0; at < seed.Length; at++)
            {
                foreach (byte replacement in Replacements)
                {
                    byte[] changed = [.. seed];
                    changed[at] = replacement;
                    Try(changed);
                }
            }
        }
    }

    [Fact]
    public void Parse_OddNumbersEverywhere_ThrowsOnlyFormatErrors()
    {
        string[] numbers =
        [
            "0", "1", "-1", "-0", "2147483647", "2147483648", "4294967296", "9007199254740993", "4611686018427387904",
            "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1.0", "1e0", "01",
        ];
        foreach (string a in numbers)
        {
            foreach (string b in numbers)
            {
                Try(Encoding.UTF8.GetBytes($$$"""{"a":{"dtype":"U8","shape":[{{{a}}},{{{b}}}],"data_offsets":[0,1]}}"""));
                Try(Encoding.UTF8.GetBytes($$$"""{"a":{"dtype":"F32","shape":[{{{a}}}],"data_offsets":[{{{b}}},{{{a}}}]}}"""));
                Try(Encoding.UTF8.GetBytes($$$"""{"a":{"dtype":"F4","shape":[{{{a}}}],"data_offsets":[0,{{{b}}}]}}"""));
            }
        }
    }

    [Fact]
    public void ReadHeader_EveryPrefixBitFlip_ThrowsOnlyFormatErrors()
    {
        using TempFolder temp = new();
        byte[] file = CheckpointBuilder.Safetensors(TestTensor.Numbered("a", "F32", 2, 2));
        for (int bit = 0; bit < 64; bit++)
        {
            byte[] flipped = [.. file];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.ReadHeader(temp.Write("x.safetensors", flipped)));
        }
    }

    [Fact]
    public void ReadHeader_EveryTruncation_IsRefused()
    {
        using TempFolder temp = new();
        byte[] file = CheckpointBuilder.Safetensors(TestTensor.Numbered("a", "F32", 2, 2));
        string[] expected = ["ST-SHORT", "ST-HDRLEN", "ST-TRUNC"];
        for (int length = 0; length < file.Length; length++)
        {
            string path = temp.Write("x.safetensors", file.AsSpan(0, length));
            Assert.Contains(Assert.Throws<CheckpointFormatException>(() => SafetensorsFile.ReadHeader(path)).Error.Code(), expected);
        }
    }

    [Fact]
    public void Parse_TenTimesTheTensors_AllocatesTenTimesTheMemory()
    {
        long few = AllocatedFor(30_000);
        long many = AllocatedFor(300_000);

        // Tables double as they grow, so a step between powers of two may cost twice; a quadratic one would cost ten times.
        Assert.InRange(many / (double)few, 5, 20);
        Assert.InRange(many / 300_000, 1, 1000);
    }

    [Fact]
    public void Parse_HugeRank_IsRefusedBeforeItTakesMemory()
    {
        string json = $$$"""{"a":{"dtype":"U8","shape":[{{{string.Join(",", Enumerable.Repeat("1", 5000))}}}],"data_offsets":[0,1]}}""";

        Assert.Equal(FormatError.SafetensorsShape, Assert.Throws<CheckpointFormatException>(() => Parse(json, 1)).Error);
    }

    private static long AllocatedFor(int count)
    {
        StringBuilder json = new("{");
        for (int i = 0; i < count; i++)
        {
            json.Append(i == 0 ? "" : ",").Append(System.Globalization.CultureInfo.InvariantCulture,
                $"\"model.layers.{i}.weight\":{{\"dtype\":\"U8\",\"shape\":[1,1],\"data_offsets\":[{i},{i + 1}]}}");
        }

        byte[] bytes = Encoding.UTF8.GetBytes(json.Append('}').ToString());
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(count, SafetensorsHeader.Parse(bytes, 8L + bytes.Length + count, "x").Tensors.Count);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static SafetensorsHeader Parse(string json, long dataBytes)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        return SafetensorsHeader.Parse(bytes, 8 + bytes.Length + dataBytes, "x.safetensors");
    }

    /// <summary>Accepted means that every invariant holds; refused means a format error, and no other exception.</summary>
    private static void Try(byte[] json)
    {
        foreach (long dataBytes in (long[])[0, 1, 3, 16])
        {
            try
            {
                SafetensorsHeader header = SafetensorsHeader.Parse(json, 8 + json.Length + dataBytes, "x.safetensors");
                HeaderFacts.AssertTiles(header, 8 + json.Length + dataBytes);
            }
            catch (CheckpointFormatException error)
            {
                Assert.DoesNotContain(error.Message, char.IsControl);
            }
        }
    }
}
