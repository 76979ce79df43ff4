using System.Globalization;
using System.Text;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.PackedWords;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Benchmarks;

/// <summary>How fast codes of other formats become bfloat16 weights, without reading them from anywhere.</summary>
internal static class DecodeReport
{
    private const int Count = 1 << 18;
    private const int Columns = 4096;

    private static readonly (string Name, Action<byte[], KernelPath> Run)[] Forms =
    [
        ("fp8, a scale for each row", (stored, path) => Rows(ScaledCode.E4M3, stored, [], Columns, path)),
        ("fp8, a scale for 128 columns", (stored, path) => Rows(ScaledCode.E4M3, stored, [], 128, path)),
        ("mxfp8, a scale for 32", (stored, path) => Rows(ScaledCode.E4M3, stored, [], 32, path)),
        ("mxfp4, a scale for 32", (stored, path) => Packed(ScaledCode.E2M1, stored, 32, path)),
        ("nvfp4, a scale for 16", (stored, path) => Packed(ScaledCode.E2M1, stored, 16, path)),
        ("GPTQ, 4 bits, groups of 128", Words),
    ];

    public static int Run()
    {
        var stored = new byte[Count];
        new Random(1).NextBytes(stored);
        // No NaN, which weights do not have.
        for (int i = 0; i < stored.Length; i++) stored[i] &= 0xBF;
        KernelPath[] paths = [.. KernelPaths.Available.Where(path => path != KernelPath.Reference)];
        var text = new StringBuilder(Machine.Header("Decoding of other formats"));
        text.AppendLine("Millions of bfloat16 weights written per second of processor time of one thread, the best of a second's runs. Other work shared the cores, and with them their caches and execution units.");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| form | {string.Join(" | ", paths)} |");
        text.AppendLine(CultureInfo.InvariantCulture, $"|---|{string.Concat(paths.Select(_ => "---:|"))}");
        foreach ((string name, Action<byte[], KernelPath> run) in Forms)
        {
            IEnumerable<string> rates = paths.Select(path => ProcessorTime.Rate(Count, () => run(stored, path)).ToString("0", CultureInfo.InvariantCulture));
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {string.Join(" | ", rates)} |");
        }

        Machine.Save("decode.md", text.ToString());
        return 0;
    }

    private static readonly float[] Scales = [.. Enumerable.Repeat(0.01f, Columns)];
    private static readonly float[] Zeros = [.. Enumerable.Repeat(8f, Columns)];
    private static readonly byte[] Codes = new byte[Count];
    private static readonly byte[] Destination = new byte[2 * Count];

    private static void Packed(ScaledCode code, byte[] stored, int width, KernelPath path)
    {
        UnpackCodes.LowFirst4(stored.AsSpan(0, Count / 2), Codes);
        Rows(code, Codes, [], width, path);
    }

    private static void Words(byte[] stored, KernelPath path)
    {
        GptqWords.Spread(4, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(stored.AsSpan(0, Count / 2)), Codes, 0, 8);
        Rows(ScaledCode.Unsigned, Codes, Zeros, 128, path);
    }

    private static void Rows(ScaledCode code, byte[] codes, float[] zeros, int width, KernelPath path)
    {
        for (int first = 0; first < Count; first += Columns)
        {
            int scales = Columns / width;
            DecodeCodes.Row(
                code, codes.AsSpan(first, Columns), Scales.AsSpan(0, scales), zeros.Length == 0 ? [] : zeros.AsSpan(0, scales), 0, width,
                ElementType.F32, ElementType.BF16, Destination.AsSpan(2 * first, 2 * Columns), path);
        }
    }
}
