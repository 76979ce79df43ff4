using System.Globalization;
using System.Text;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Benchmarks;

/// <summary>The table of docs/quality.md: relative squared error of each form on weights of three distributions.</summary>
internal static class QualityReport
{
    private const int Count = 1 << 22;
    private const int Columns = 4096;

    public static int Run(string path)
    {
        (string Name, Func<Random, double> Draw)[] sources = [("normal", Normal), ("Laplace", Laplace), ("Student t, 5", Student)];
        var rows = new Dictionary<string, (string Bits, List<double> Errors)>();
        foreach ((_, Func<Random, double> draw) in sources)
        {
            var random = new Random(20231027);
            var values = new float[Count];
            for (int i = 0; i < Count; i++) values[i] = (float)(draw(random) * 0.02);
            foreach ((string name, string bits, float[] decoded) in Forms(values))
            {
                if (!rows.TryGetValue(name, out var row)) rows[name] = row = (bits, []);
                row.Errors.Add(Error(values, decoded));
            }
        }

        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"| form | bits per weight | {string.Join(" | ", sources.Select(source => source.Name))} |");
        text.AppendLine("|---|---:|---:|---:|---:|");
        foreach ((string name, (string bits, List<double> errors)) in rows)
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {bits} | {string.Join(" | ", errors.Select(error => error.ToString("0.000000", CultureInfo.InvariantCulture)))} |");
        const string begin = "<!-- begin -->\n", end = "<!-- end -->";
        string page = File.ReadAllText(path);
        int from = page.IndexOf(begin, StringComparison.Ordinal) + begin.Length, to = page.IndexOf(end, StringComparison.Ordinal);
        File.WriteAllText(path, page[..from] + text.ToString().ReplaceLineEndings("\n") + page[to..]);
        return 0;
    }

    private static IEnumerable<(string Name, string Bits, float[] Decoded)> Forms(float[] values)
    {
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (int blocksize in (int[])[64, 32])
            {
                if (code != Code4Catalog.Nf4 && blocksize != 64) continue;
                foreach (bool searches in (bool[])[false, true])
                {
                    string name = $"{code} {blocksize}{(searches ? " search" : "")}";
                    yield return (name, Bits(4 + (32.0 / blocksize)), Blocks(values, code, blocksize, searches, nested: false));
                    yield return (name + ", double quantization", Bits(4 + ((8 + (32.0 / 256)) / blocksize)), Blocks(values, code, blocksize, searches, nested: true));
                }
            }
        }

        foreach (bool searches in (bool[])[false, true]) yield return ($"int4 128{(searches ? " search" : "")}", Bits(4 + (32.0 / 128)), Groups(values, searches));
        foreach (bool searches in (bool[])[false, true]) yield return ($"int8{(searches ? " search" : "")}", Bits(8 + (32.0 / Columns)), Rows(values, searches));
    }

    private static float[] Blocks(float[] values, Code4 code, int blocksize, bool searches, bool nested)
    {
        ReadOnlySpan<byte> source = System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan());
        float[] absmax = new float[Count / blocksize], groups = new float[absmax.Length / NestedAbsmax.Blocksize], decoded = new float[Count];
        byte[] packed = new byte[Count / 2], codes = new byte[absmax.Length];
        float offset = 0;
        KernelPath path = KernelPaths.Selected;
        if (searches && nested) SearchBlocks4.RunNested(code, ElementType.F32, blocksize, source, default, codes, groups, packed, path);
        else if (searches) SearchBlocks4.Run(code, ElementType.F32, blocksize, source, default, absmax, packed, path);
        else Quantize4.Run(code, ElementType.F32, blocksize, source, absmax, packed, path);
        if (nested && !searches)
        {
            offset = AbsmaxMean.Of(absmax);
            NestedAbsmax.Quantize(absmax, offset, codes, groups, path);
        }

        if (nested) NestedAbsmax.Dequantize(codes, groups, offset, absmax);
        Dequantize4.Run(code, blocksize, packed, absmax, decoded);
        return decoded;
    }

    private static float[] Groups(float[] values, bool searches)
    {
        ReadOnlySpan<byte> source = System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan());
        byte[] scales = new byte[Count / 128 * sizeof(float)], packed = new byte[Count / 2];
        var decoded = new float[Count];
        if (searches) SearchGroups4.Run(ElementType.F32, ElementType.F32, 128, source, default, scales, packed, KernelPaths.Selected);
        else QuantizeGroups4.Run(ElementType.F32, 128, symmetric: true, source, scales, [], packed, KernelPaths.Selected);
        DequantizeGroups4.Run(ElementType.F32, 128, packed, scales, [], decoded, KernelPaths.Selected);
        return decoded;
    }

    private static float[] Rows(float[] values, bool searches)
    {
        ReadOnlySpan<byte> source = System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan());
        var scb = new float[Count / Columns];
        var codes = new sbyte[Count];
        var decoded = new float[Count];
        if (searches) SearchRows8.Run(ElementType.F32, Columns, source, default, scb, codes, KernelPaths.Selected);
        else QuantizeRows8.Run(ElementType.F32, Columns, source, scb, codes, KernelPaths.Selected);
        DequantizeRows8.Run(Columns, codes, scb, decoded, KernelPaths.Selected);
        return decoded;
    }

    private static double Error(float[] values, float[] decoded)
    {
        double error = 0, energy = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double rest = values[i] - decoded[i];
            error += rest * rest;
            energy += (double)values[i] * values[i];
        }

        return error / energy;
    }

    private static string Bits(double bits) => bits.ToString("0.000", CultureInfo.InvariantCulture);

    internal static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static double Laplace(Random random)
    {
        double uniform = random.NextDouble() - 0.5;
        return -Math.Sign(uniform) * Math.Log(1 - (2 * Math.Abs(uniform)));
    }

    private static double Student(Random random)
    {
        double squares = 0;
        for (int i = 0; i < 5; i++) squares += Math.Pow(Normal(random), 2);
        return Normal(random) / Math.Sqrt(squares / 5);
    }
}
