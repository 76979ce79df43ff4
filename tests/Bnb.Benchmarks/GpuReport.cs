using System.Diagnostics;
using System.Globalization;
using System.Text;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Benchmarks;

/// <summary>
/// What there is to measure on a GPU, part by part: the device's own copy as the ceiling, the kernels as shares of it,
/// products beside the vendor's library, streaming from and to the host beside the CPU, and the bytes of both compared.
/// </summary>
internal static class GpuReport
{
    private const int Rounds = 20, Blocksize = 64;
    private const long Count = 1L << 28;

    /// <summary>Name and measurement, which gives a part of a report.</summary>
    public static IReadOnlyList<(string Name, Func<GpuDevice, string> Run)> Steps { get; } =
    [
        ("kernels", device => Measure(device, (session, text) => Bandwidth(session, text, CopyRate(session), CountOf(device), RoundsOf(device)))),
        ("products", device => Measure(device, (session, text) =>
            Products(session, text, CopyRate(session), device.Kind == "cuda" ? 4096 : device.IsSimulator ? 64 : 512, RoundsOf(device)))),
        ("search", device => Measure(device, (session, text) =>
            Search(session, text, device.Kind == "cuda" ? 1 << 26 : device.IsSimulator ? 1 << 11 : 1 << 20))),
        ("streaming", device => Measure(device, (session, text) => Streaming(session, text, device.IsSimulator ? 1 << 14 : 1 << 27))),
    ];

    private static string Measure(GpuDevice device, Action<GpuSession, StringBuilder> part)
    {
        using GpuSession session = GpuDevices.Open(device, 1L << 30);
        var text = new StringBuilder();
        part(session, text);
        return text.ToString();
    }

    // Less for devices that would take minutes: the simulator, and OpenCL on a CPU.
    private static long CountOf(GpuDevice device) => device.Kind == "cuda" ? Count : device.IsSimulator ? 1 << 14 : 1 << 24;

    private static int RoundsOf(GpuDevice device) => device.Kind == "cuda" ? Rounds : 2;

    private static double CopyRate(GpuSession session)
    {
        long bytes = CountOf(session.Device) * 2;
        return 2.0 * bytes / new KernelTimer(session).Copy(bytes, RoundsOf(session.Device));
    }

    private static void Bandwidth(GpuSession session, StringBuilder text, double copy, long count, int rounds)
    {
        Line(text, $"Kernels on {count / 1048576.0:0.##} Mi values on the device, bytes read and written per second, best of {rounds} rounds of 10 launches.");
        Line(text, $"The device copies at {copy / 1e9:0.0} GB/s, read and written.");
        text.AppendLine();
        text.AppendLine("| kernel | type | block | GB/s | of the copy |");
        text.AppendLine("|---|---|---:|---:|---:|");
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (ElementType type in Enum.GetValues<ElementType>())
            {
                foreach (int blocksize in (int[])[32, 64, 256, 4096])
                {
                    double bytes = count * (type.Size() + 0.5 + 4.0 / blocksize);
                    double quantize = bytes / new KernelTimer(session).Quantize4(code, type, blocksize, count, rounds);
                    double dequantize = bytes / new KernelTimer(session).Dequantize4(code, type, blocksize, count, rounds);
                    Line(text, $"| quantize {code} | {type} | {blocksize} | {quantize / 1e9:0.0} | {quantize / copy:0.0 %} |");
                    Line(text, $"| dequantize {code} | {type} | {blocksize} | {dequantize / 1e9:0.0} | {dequantize / copy:0.0 %} |");
                }
            }
        }

        const int Columns = 4096;
        int rows = (int)(count / Columns);
        foreach (ElementType type in Enum.GetValues<ElementType>())
        {
            double bytes = (double)rows * Columns * (type.Size() + 1) + 4.0 * rows;
            double dequantize = bytes / new KernelTimer(session).DequantizeRows8(type, Columns, rows, rounds);
            Line(text, $"| dequantize int8 | {type} | row of {Columns} | {dequantize / 1e9:0.0} | {dequantize / copy:0.0 %} |");
        }

        text.AppendLine();
    }

    private static void Products(GpuSession session, StringBuilder text, double copy, int size, int rounds)
    {
        Line(text, $"Products with weights [{size}, {size}], nf4 in blocks of {Blocksize}; vendor is cuBLAS over dense weights of the type.");
        text.AppendLine();
        text.AppendLine("| rows of x | type | weights | kernel | ms | TFLOP/s | of vendor | weights GB/s | of the copy |");
        text.AppendLine("|---:|---|---|---|---:|---:|---:|---:|---:|");
        (string Name, WeightFormat Format)[] formats =
            [("nf4", new WeightFormat(Code4Catalog.Nf4, Blocksize, 0)), ("int8", WeightFormat.Int8Rows), ("fp8", WeightFormat.Fp8Rows), ("int4", WeightFormat.Int4Groups(64, ElementType.BF16))];
        foreach (ElementType type in (ElementType[])[ElementType.BF16, ElementType.F16])
        {
            foreach (int m in (int[])[1, 16, size])
            {
                double? vendor = new KernelTimer(session).VendorGemm(m, size, size, type, rounds);
                GpuProduct[] products = m == 1 ? [GpuProduct.Auto]
                    : session.HasTensorCores ? [GpuProduct.Tiled, GpuProduct.TensorCores] : [GpuProduct.Tiled];
                foreach ((string name, WeightFormat format) in formats)
                {
                    long bytes = format.CodeBytes((long)size * size) + 4 * format.Scales(size, size);
                    foreach (GpuProduct product in products)
                    {
                        double seconds = new KernelTimer(session).Gemm(m, size, size, type, format, product, rounds);
                        string share = vendor is { } best ? (best / seconds).ToString("0.0 %", CultureInfo.InvariantCulture) : "no cuBLAS";
                        string kernel = m == 1 ? "one row" : product.ToString();
                        Line(text, $"| {m} | {type} | {name} | {kernel} | {seconds * 1e3:0.000} | {2.0 * m * size * size / seconds / 1e12:0.00} | {share} | {bytes / seconds / 1e9:0.0} | {bytes / seconds / copy:0.0 %} |");
                    }
                }
            }
        }

        text.AppendLine();
    }

    private static void Streaming(GpuSession session, StringBuilder text, int count)
    {
        float[] part = FloatPalette.Normals(1, 1 << 14);
        var source = new byte[count * 2L];
        var stored = new byte[part.Length * 2];
        Narrow.FromSingle(ElementType.BF16, part, stored);
        for (int at = 0; at < source.Length; at += stored.Length) stored.CopyTo(source, at);
        byte[] ours = new byte[count / 2], theirs = new byte[count / 2];
        float[] absmax = new float[count / Blocksize], theirAbsmax = new float[count / Blocksize];
        double gpu = Seconds(() => session.Quantize4(Code4Catalog.Nf4, ElementType.BF16, Blocksize, source, absmax, ours));
        double cpu = Seconds(() => Quantize4.Run(
            Code4Catalog.Nf4, ElementType.BF16, Blocksize, source, theirAbsmax, theirs, KernelPaths.Selected));
        bool same = ours.AsSpan().SequenceEqual(theirs) && absmax.AsSpan().SequenceEqual(theirAbsmax);
        Line(text, $"Streaming {source.Length / 1048576.0:0.##} MiB of bf16 from host memory to nf4 in host memory, best of 3: {source.Length / gpu / 1e9:0.00} GB/s read by the GPU, {source.Length / cpu / 1e9:0.00} GB/s by one core ({KernelPaths.Selected}). Bytes {(same ? "equal" : "DIFFERENT")}.");
    }

    /// <summary>Searched scales with copies, of as many normal weights as repeat every 64 Ki, and what one core makes of those.</summary>
    private static void Search(GpuSession session, StringBuilder text, int count)
    {
        if (!session.HasFloat64)
        {
            text.AppendLine("No float64, so no search for scales.");
            return;
        }

        int part = Math.Min(count, 1 << 16);
        var once = new byte[part * 2];
        Narrow.FromSingle(ElementType.BF16, FloatPalette.Normals(2, part, 0.02f), once);
        var source = new byte[count * 2L];
        for (int at = 0; at < source.Length; at += once.Length) once.CopyTo(source, at);
        byte[] packed = new byte[count / 2], expected = new byte[part / 2];
        float[] scales = new float[count / Blocksize], expectedScales = new float[part / Blocksize];
        foreach (Code4 code in Code4Catalog.All)
        {
            double gpu = Seconds(() => session.SearchBlocks4(code, ElementType.BF16, Blocksize, source, default, scales, packed));
            double cpu = Seconds(() => SearchBlocks4.Run(code, ElementType.BF16, Blocksize, once, default, expectedScales, expected, KernelPaths.Selected));
            bool same = expected.AsSpan().SequenceEqual(packed.AsSpan(0, expected.Length))
                && expectedScales.AsSpan().SequenceEqual(scales.AsSpan(0, expectedScales.Length));
            if (!same) throw new InvalidOperationException($"searched scales of {code} are not the CPU's");
            Line(text, $"Searched scales of {code} in blocks of {Blocksize}, {count / 1048576.0:0.###} Mi values from and to host memory, best of 3: {count / gpu / 1e6:0} million values/s by the GPU, {part / cpu / 1e6:0} by one core ({KernelPaths.Selected}).");
            text.AppendLine();
        }
    }

    private static double Seconds(Action action)
    {
        double best = double.PositiveInfinity;
        for (int round = -1; round < 3; round++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            if (round >= 0) best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    private static void Line(StringBuilder text, FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
}
