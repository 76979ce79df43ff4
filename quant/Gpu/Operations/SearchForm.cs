using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>What is searched: values, scales, and where to look first.</summary>
/// <param name="Table">The struct that stands for the values in kernels.</param>
/// <param name="Scales">The struct that stands for the scales.</param>
/// <param name="Smallest">The smallest scale, in multiples of a block's largest magnitude.</param>
/// <param name="Largest">The largest one.</param>
/// <param name="Starts">What is looked at first, in the same unit: one multiple per thread, ascending for each sign. The first and
/// the last stand for the ends. They only decide how long it takes.</param>
/// <param name="ScaleBytes">Bytes of a stored scale.</param>
/// <param name="CodesPerByte">1 or 2.</param>
internal sealed record SearchForm(Type Table, Type Scales, float Smallest, float Largest, float[] Starts, int ScaleBytes, int CodesPerByte)
{
    private static readonly float[] BothSigns =
    [
        0f, 0.25f, 0.42f, 0.55f, 0.68f, 0.8f, 0.92f, 1.05f, 1.2f, 1.38f, 1.6f, 2f, 2.8f, 4.5f, 9f, 100f,
        0f, 0.25f, 0.42f, 0.55f, 0.68f, 0.8f, 0.92f, 1.05f, 1.2f, 1.38f, 1.6f, 2f, 2.8f, 4.5f, 9f, 100f,
    ];

    private static readonly float[] OfFp4 =
    [
        0f, 0.2f, 0.35f, 0.45f, 0.54f, 0.62f, 0.7f, 0.78f, 0.86f, 0.94f, 1.02f, 1.1f, 1.2f, 1.32f, 1.45f, 1.6f,
        1.8f, 2.1f, 2.5f, 3f, 3.8f, 5f, 7f, 10f, 14f, 20f, 30f, 45f, 70f, 110f, 190f, 1000f,
    ];

    private static readonly float[] OfInt8 =
    [
        0f, 0.05f, 0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.55f, 0.6f, 0.65f, 0.7f, 0.74f, 0.78f, 0.8f, 0.82f, 0.84f,
        0.86f, 0.88f, 0.895f, 0.91f, 0.92f, 0.93f, 0.94f, 0.95f, 0.96f, 0.97f, 0.98f, 0.985f, 0.99f, 0.995f, 0.998f, 1f,
    ];

    /// <summary>Whether scales are nested codes.</summary>
    public bool IsNested => Scales == typeof(SearchedNested);

    /// <summary>nf4 or fp4.</summary>
    public static SearchForm Blocks4(Code4 code, bool nested) => code == Code4Catalog.Fp4
        ? Of<CodeTable<Fp4>>(typeof(SearchedCode<RankedFp4>), ScalesOf4(nested), OfFp4, nested ? 1 : sizeof(float), 2)
        : Of<CodeTable<Nf4>>(typeof(SearchedCode<RankedNf4>), ScalesOf4(nested), BothSigns, nested ? 1 : sizeof(float), 2);

    /// <summary>Symmetric INT4 with scales of a type.</summary>
    public static SearchForm Groups4(ElementType scaleType) => Of<Int4Table>(
        typeof(SearchedInt4),
        scaleType == ElementType.F32 ? typeof(SearchedShort<EightBitsOfInt4>) : typeof(SearchedHalf<>).MakeGenericType(KernelTypes.Of(scaleType)),
        [.. BothSigns.Select(start => start / Int4Table.Top)],
        scaleType.Size(),
        2);

    /// <summary>LLM.int8().</summary>
    public static SearchForm Rows8() => Of<Int8Table>(typeof(SearchedInt8), typeof(SearchedShort<TenBits>), OfInt8, sizeof(float), 1);

    private static Type ScalesOf4(bool nested) => nested ? typeof(SearchedNested) : typeof(SearchedShort<EightBits>);

    private static SearchForm Of<TTable>(Type table, Type scales, float[] starts, int scaleBytes, int codesPerByte)
        where TTable : struct, ISearchTable =>
        new(table, scales, SearchGrid<TTable>.Smallest, TTable.Largest, starts, scaleBytes, codesPerByte);
}
