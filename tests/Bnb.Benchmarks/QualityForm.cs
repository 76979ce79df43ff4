using System.Globalization;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Formats.Primitives;
using Bnb.Quant.Blockwise;

namespace Bnb.Benchmarks;

/// <summary>A row of the tables of docs/quality.md.</summary>
/// <param name="Name">As the tables spell it.</param>
/// <param name="Recipe">What makes it.</param>
internal sealed record QualityForm(string Name, QuantizeRecipe Recipe)
{
    /// <summary>All forms, in the order of the tables.</summary>
    public static IReadOnlyList<QualityForm> All { get; } =
    [
        .. Blocks(Code4Catalog.Nf4, 64),
        .. Blocks(Code4Catalog.Nf4, 32),
        .. Blocks(Code4Catalog.Fp4, 64),
        .. Both("int4 128", "", new Int4Recipe(128, Symmetric: true)),
        .. Both("int4 64", "", new Int4Recipe(64, Symmetric: true)),
        .. Both("int8", "", new Int8Recipe(Int8Recipe.DefaultThreshold)),
        new("fp8", new Fp8Recipe()),
    ];

    /// <summary>Bits of codes and scales for each value of these weights. Left out are tables and texts, whose size does not grow
    /// with a weight.</summary>
    public static string Bits(IReadOnlyList<Quantization> weights)
    {
        long bytes = weights.SelectMany(weight => weight.Outputs("a.weight"))
            .Where(part => part.Role is OutputRole.Codes or OutputRole.Scale or OutputRole.NestedAbsmax)
            .Sum(part => part.Bytes);
        return (bytes * 8.0 / weights.Sum(weight => weight.ValueCount)).ToString("0.000", CultureInfo.InvariantCulture);
    }

    private static IEnumerable<QualityForm> Blocks(Code4 code, int blocksize) =>
        Both($"{code} {blocksize}", "", new Blockwise4Recipe(code, blocksize, DoubleQuant: false, DType.U8))
            .Zip(Both($"{code} {blocksize}", ", double quantization", new Blockwise4Recipe(code, blocksize, DoubleQuant: true, DType.U8)))
            .SelectMany(pair => (QualityForm[])[pair.First, pair.Second]);

    private static IEnumerable<QualityForm> Both(string name, string rest, QuantizeRecipe recipe) =>
        [new(name + rest, recipe), new(name + " search" + rest, recipe with { Scale = ScaleRule.Search })];
}
