using System.Text;
using System.Text.Json;
using Bnb.Formats.Primitives;
using Bnb.Formats.Sharded;

namespace Bnb.Formats.Tests;

public sealed class ShardIndexTests
{
    [Fact]
    public void Write_TwoTensors_GivesTheTextOfPython()
    {
        byte[] bytes = ShardIndex.Write([new("b\"é", "model-00002-of-00002.safetensors"), new("a", "model-00001-of-00002.safetensors")], 12345678901);

        Assert.Equal(
            "{\n  \"metadata\": {\n    \"total_size\": 12345678901\n  },\n  \"weight_map\": {\n"
            + "    \"a\": \"model-00001-of-00002.safetensors\",\n    \"b\\\"\\u00e9\": \"model-00002-of-00002.safetensors\"\n  }\n}\n",
            Encoding.ASCII.GetString(bytes));
    }

    [Fact]
    public void EntryLength_OfEachTensor_AddsUpToTheFile()
    {
        (string Tensor, string Shard)[] entries = [("b\"é\n", "model-2.safetensors"), ("a", "model-1.safetensors"), ("\U0001F600\u007f", "model-2.safetensors")];

        long told = ShardIndexBuilder.OtherLength(77) + entries.Sum(entry => ShardIndexBuilder.EntryLength(entry.Tensor, entry.Shard));

        // The first entry has no comma before it.
        Assert.Equal(told - 1, ShardIndex.Write(entries.Select(entry => KeyValuePair.Create(entry.Tensor, entry.Shard)), 77).Length);
    }

    [Fact]
    public void Write_NamesBeyondTheSurrogates_AreOrderedByCodePoint()
    {
        string text = Encoding.ASCII.GetString(ShardIndex.Write([new("\U0001F600", "s"), new("\uFF5E", "s"), new("a", "s")], 0));

        Assert.True(text.IndexOf("\"a\"", StringComparison.Ordinal) < text.IndexOf("\\uff5e", StringComparison.Ordinal));
        Assert.True(text.IndexOf("\\uff5e", StringComparison.Ordinal) < text.IndexOf("\\ud83d", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(1, 200)]
    [InlineData(2, 5000)]
    [InlineData(3, 30000)]
    public void Write_NamesInAnyOrderAndAnyParts_IsWhatSortingThemGives(int seed, int count)
    {
        var random = new Random(seed);
        // Few characters, so that names share beginnings, are each other's, and come twice; some are longer than what was kept before.
        string[] names = [.. Enumerable.Range(0, count).Select(_ => new string([.. Enumerable.Range(0, random.Next(random.Next(40))).Select(_ => "ab.é\""[random.Next(5)])]))];
        List<ShardIndexBuilder> parts = [];
        var expected = new List<(string Name, string Shard)>();
        for (int from = 0; from < count;)
        {
            int to = Math.Min(count, from + random.Next(1, 1 + count / 3));
            var part = new ShardIndexBuilder();
            var piece = names[from..to];
            if (random.Next(3) > 0) Array.Sort(piece, (a, b) => Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b)));
            foreach (string name in piece)
            {
                string shard = $"model-{random.Next(3)}-{parts.Count}";
                part.Add(name, shard);
                expected.Add((name, shard));
            }

            parts.Add(part);
            from = to;
        }

        var index = new ShardIndexBuilder();
        foreach (ShardIndexBuilder part in parts) index.Add(part);
        using var written = new MemoryStream();
        index.WriteTo(written, 0);

        using var json = JsonDocument.Parse(written.ToArray());
        Assert.Equal(
            expected.Select(static (entry, place) => (entry, place)).OrderBy(static item => Convert.ToHexString(Encoding.UTF8.GetBytes(item.entry.Name)), StringComparer.Ordinal)
                .ThenBy(static item => item.place).Select(static item => item.entry),
            json.RootElement.GetProperty("weight_map").EnumerateObject().Select(static property => (property.Name, property.Value.GetString()!)));
    }

    [Fact]
    public void Write_Nothing_IsStillJson() =>
        Assert.Equal("{\n  \"metadata\": {\n    \"total_size\": 0\n  },\n  \"weight_map\": {}\n}\n", Encoding.ASCII.GetString(ShardIndex.Write([], 0)));

    [Fact]
    public void Parse_KeepsTheOrderOfTheFile()
    {
        ShardIndex index = Parse("""{"weight_map":{"z":"2.safetensors","a":"1.safetensors"},"later":[{}]}""");

        Assert.Equal(["z", "a"], index.WeightMap.Select(pair => pair.Key));
        Assert.Null(index.TotalSize);
    }

    [Theory]
    [InlineData("12", 12L)]
    [InlineData("12.0", 12L)]
    [InlineData("1e3", 1000L)]
    [InlineData("\"12\"", null)]
    [InlineData("null", null)]
    [InlineData("[1]", null)]
    [InlineData("1e300", null)]
    public void Parse_TotalSize_IsTakenWhenItIsANumber(string text, long? expected) =>
        Assert.Equal(expected, Parse($$$"""{"metadata":{"total_size":{{{text}}},"x":{"total_size":1}},"weight_map":{"a":"1.safetensors"}}""").TotalSize);

    [Theory]
    [InlineData("[1]")]
    [InlineData("null")]
    [InlineData("5")]
    public void Parse_MetadataOfAnotherKind_IsIgnored(string text) =>
        Assert.Null(Parse($$$"""{"metadata":{{{text}}},"weight_map":{"a":"1.safetensors"}}""").TotalSize);

    [Fact]
    public void Parse_EveryTruncationAndBitFlip_ThrowsOnlyFormatErrors()
    {
        byte[] seed = Encoding.UTF8.GetBytes("""{"metadata":{"total_size":1.0},"weight_map":{"a\u00e9":"s/1.safetensors","é":"2.safetensors"}}""");
        for (int i = 0; i < seed.Length * 8; i++)
        {
            byte[] flipped = [.. seed];
            flipped[i / 8] ^= (byte)(1 << (i % 8));
            foreach (byte[] text in (byte[][])[flipped, seed[..(i / 8)]])
            {
                try
                {
                    ShardIndex index = ShardIndex.Parse(text, "i.json");
                    foreach ((_, string shard) in index.WeightMap)
                    {
                        Assert.EndsWith(".safetensors", shard, StringComparison.Ordinal);
                        Assert.StartsWith("/m/", Path.GetFullPath(Path.Combine("/m", shard)), StringComparison.Ordinal);
                        Assert.DoesNotContain(shard, c => c is '\\' or ':' || char.IsControl(c));
                    }
                }
                catch (CheckpointFormatException error)
                {
                    Assert.DoesNotContain(error.Message, char.IsControl);
                }
            }
        }
    }

    private static ShardIndex Parse(string json) =>
        ShardIndex.Parse(Encoding.UTF8.GetBytes(json), "model.safetensors.index.json");
}
