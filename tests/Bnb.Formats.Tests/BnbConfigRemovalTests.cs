using System.Text;
using Bnb.Formats.HuggingFace;
using FsCheck;
using FsCheck.Fluent;

namespace Bnb.Formats.Tests;

/// <summary>A config.json that loses its quantization_config and nothing else.</summary>
public sealed class BnbConfigRemovalTests
{
    private static readonly BnbQuantizationConfig Nf4 = new("nf4", true, "bfloat16", "uint8", ["lm_head"]);

    [Theory]
    // Last, first, in the middle, alone.
    [InlineData("{\n  \"a\": 1,\n  \"quantization_config\": {\n    \"x\": [1]\n  }\n}\n", "{\n  \"a\": 1\n}\n")]
    [InlineData("{\n  \"quantization_config\": {\"x\": 1},\n  \"a\": 1\n}", "{\n  \"a\": 1\n}")]
    [InlineData("{\n  \"a\": 1,\n  \"quantization_config\": {},\n  \"b\": 2\n}\n", "{\n  \"a\": 1,\n  \"b\": 2\n}\n")]
    [InlineData("{\"a\":1,\"quantization_config\":{\"x\":{\"y\":[{}]}},\"b\":2}", "{\"a\":1,\"b\":2}")]
    [InlineData("{\"quantization_config\": {}}", "{}")]
    [InlineData("{\n  \"quantization_config\": {}\n}\n", "{\n  \n}\n")]
    // Line ends, indents and odd spacing stay.
    [InlineData("{\r\n\t\"a\": 1,\r\n\t\"quantization_config\": {\r\n\t}\r\n}\r\n", "{\r\n\t\"a\": 1\r\n}\r\n")]
    [InlineData("{ \"a\" :1 , \"quantization_config\" : {} , \"b\": 2 }", "{ \"a\" :1 , \"b\": 2 }")]
    [InlineData("\n {\"quantization_config\":null , \"b\" : 2} \n", "\n {\"b\" : 2} \n")]
    // Values that any JSON writer would change.
    [InlineData("{\"a\": 1.00, \"b\": 1e-05, \"quantization_config\": {\"t\": 6.0}, \"c\": 12345678901234567890123}", "{\"a\": 1.00, \"b\": 1e-05, \"c\": 12345678901234567890123}")]
    [InlineData("{\"a\": NaN, \"quantization_config\": {\"t\": Infinity}, \"c\": -Infinity}", "{\"a\": NaN, \"c\": -Infinity}")]
    [InlineData("{\"é\": \"日本\\u00e9\", \"quantization_config\": {\"é\": \"}\\\"]\"}}", "{\"é\": \"日本\\u00e9\"}")]
    // Those of parts too, however they are spelt; text that looks like one is left alone.
    [InlineData("{\"text_config\": {\"quantization_config\": {}}, \"quantization_config\": {}}", "{\"text_config\": {}}")]
    [InlineData("{\"quantization_\\u0063onfig\": {}, \"a\": 1}", "{\"a\": 1}")]
    [InlineData("{\"a\": \"\\\"quantization_config\\\": {}\", \"my_quantization_config\": {}}", "{\"a\": \"\\\"quantization_config\\\": {}\", \"my_quantization_config\": {}}")]
    [InlineData("{\"a\": 1}", "{\"a\": 1}")]
    [InlineData("{}", "{}")]
    public void Remove_AnyShape_KeepsEveryOtherByte(string before, string after) => Assert.Equal(after, Remove(before));

    [Theory]
    [InlineData("{\n  \"a\": 1\n}\n")]
    [InlineData("{\"a\": 1, \"b\": NaN} ")]
    [InlineData("{\"a\":1,\"b\":2}")]
    [InlineData("{\r\n\t\"a\": 1,\r\n\t\"b\": [1, 2]\r\n}")]
    public void Remove_WhatInsertAdded_GivesTheOriginal(string original)
    {
        byte[] quantized = ModelConfig.Parse(Encoding.UTF8.GetBytes(original), "config.json").InsertQuantizationConfig(Nf4);

        Assert.Equal(original, Encoding.UTF8.GetString(ModelConfig.Parse(quantized, "config.json").RemoveQuantizationConfig()));
    }

    [Fact]
    public void Remove_AnyPlaceAndSpacing_LeavesTheOtherMembersAsTheyWere()
    {
        Gen<string> space = Gen.Elements("", " ", "\n", "\r\n  ", "\t");
        Gen<string> value = Gen.Elements("1", "-0.0", "NaN", "null", "[ ]", "{\"x\" : [Infinity]}", "\"a\\\"}\"", "\"é\"");
        Gen<(string Text, string[] Members)> text =
            from values in Gen.ListOf(value)
            from at in Gen.Choose(0, 8)
            from removed in value
            from a in space
            from b in space
            select Build([.. values], at, removed, a, b);
        Prop.ForAll(text.ToArbitrary(), sample =>
        {
            string edited = Remove(sample.Text);
            return ModelConfig.Parse(Encoding.UTF8.GetBytes(edited), "config.json").Root.EnumerateObject().Count() == sample.Members.Length
                && sample.Members.All(member => edited.Contains(member, StringComparison.Ordinal));
        }).QuickCheckThrowOnFailure();
    }

    private static (string Text, string[] Members) Build(string[] values, int at, string removed, string a, string b)
    {
        List<string> members = [.. values.Select((item, i) => $"\"k{i}\"{b}:{a}{item}")];
        string[] others = [.. members];
        members.Insert(Math.Min(at, members.Count), $"\"quantization_config\"{a}:{b}{removed}");
        return ($"{a}{{{b}{string.Join($"{b},{a}", members)}{a}}}{b}", others);
    }

    private static string Remove(string json) =>
        Encoding.UTF8.GetString(ModelConfig.Parse(Encoding.UTF8.GetBytes(json), "config.json").RemoveQuantizationConfig());
}
