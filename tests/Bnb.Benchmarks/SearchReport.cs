using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Benchmarks;

/// <summary>How fast scales are searched.</summary>
internal static class SearchReport
{
    private const int Count = 1 << 18;
    private const int Columns = 4096;

    private static readonly (string Name, Action<byte[], KernelPath> Run)[] Forms =
    [
        ("nf4 64", (source, path) => Blocks(Code4Catalog.Nf4, source, nested: false, path)),
        ("nf4 64, double quantization", (source, path) => Blocks(Code4Catalog.Nf4, source, nested: true, path)),
        ("fp4 64", (source, path) => Blocks(Code4Catalog.Fp4, source, nested: false, path)),
        ("fp4 64, double quantization", (source, path) => Blocks(Code4Catalog.Fp4, source, nested: true, path)),
        ("int4 128, float32 scales", (source, path) => Groups(source, ElementType.F32, path)),
        ("int4 128, bfloat16 scales", (source, path) => Groups(source, ElementType.BF16, path)),
        ("int8", Rows),
    ];

    public static int Run()
    {
        var random = new Random(1);
        var values = new float[Count];
        for (int i = 0; i < Count; i++) values[i] = (float)(QualityReport.Normal(random) * 0.02);
        byte[] source = MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
        KernelPath[] paths = [.. KernelPaths.Available.Where(path => path != KernelPath.Reference)];
        var text = new StringBuilder(Machine.Header("Search for scales"));
        text.AppendLine("Millions of normal float32 weights per second of processor time of one thread, the best of a second's runs. Other work shared the cores, and with them their caches and execution units.");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| form | {string.Join(" | ", paths)} |");
        text.AppendLine(CultureInfo.InvariantCulture, $"|---|{string.Concat(paths.Select(_ => "---:|"))}");
        foreach ((string name, Action<byte[], KernelPath> run) in Forms)
        {
            IEnumerable<string> rates = paths.Select(path => ProcessorTime.Rate(Count, () => run(source, path)).ToString("0", CultureInfo.InvariantCulture));
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {string.Join(" | ", rates)} |");
        }

        Machine.Save("search.md", text.ToString());
        return 0;
    }

    private static void Blocks(Code4 code, byte[] source, bool nested, KernelPath path)
    {
        byte[] packed = new byte[Count / 2], codes = new byte[Count / 64];
        if (nested) SearchBlocks4.RunNested(code, ElementType.F32, 64, source, default, codes, new float[Count / 64 / 256], packed, path);
        else SearchBlocks4.Run(code, ElementType.F32, 64, source, default, new float[Count / 64], packed, path);
    }

    private static void Groups(byte[] source, ElementType scaleType, KernelPath path) =>
        SearchGroups4.Run(ElementType.F32, scaleType, 128, source, default, new byte[Count / 128 * scaleType.Size()], new byte[Count / 2], path);

    private static void Rows(byte[] source, KernelPath path) =>
        SearchRows8.Run(ElementType.F32, Columns, source, default, new float[Count / Columns], new sbyte[Count], path);
}
