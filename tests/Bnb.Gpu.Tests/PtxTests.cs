using System.Text.RegularExpressions;

namespace Bnb.Gpu.Tests;

/// <summary>
/// What the PTX of the kernels must and must not contain, on machines without a device, too: the text is what ILGPU would give
/// a driver for compute capability 8.0 and above.
/// </summary>
public sealed partial class PtxTests
{
    private static readonly Lazy<Dictionary<string, string>> Listing =
        new(() => PtxListing.All().ToDictionary(kernel => kernel.Name, kernel => kernel.Ptx));

    [Fact]
    public void EveryKernel_HasNoTrapOfTheTranslation()
    {
        foreach ((string name, string ptx) in Kernels())
        {
            // Tables in local memory, one copy per thread; or what inline text returns, which passes through it.
            int returned = name.Contains("Dp4a", StringComparison.Ordinal) ? 16 : 0;
            Assert.InRange(Regex.Count(ptx, @"\bld\.local"), 0, returned);
            Assert.InRange(Regex.Count(ptx, @"\.local \.align"), 0, returned);
            // A thread index taken for uniform.
            Assert.DoesNotMatch(UniformConditional(), ptx);
            // Arithmetic that is not IEEE: flushed subnormals, approximate division, calls of library functions.
            Assert.DoesNotMatch(Inexact(), ptx);
            Assert.DoesNotContain("call", ptx, StringComparison.Ordinal);
            // What a driver allows without asking for more.
            Assert.True(SharedBytes(ptx) <= 48 * 1024, name);
        }
    }

    [Fact]
    public void KernelsOfBytes_HaveNoFusedOperation()
    {
        foreach ((string name, string ptx) in Kernels().Where(kernel => !kernel.Key.Contains("Gem", StringComparison.Ordinal)))
        {
            // Quantiles are float64 with a bound that holds fused or not, far below the float32 they are rounded to.
            if (name.StartsWith("NormalFloat", StringComparison.Ordinal)) continue;
            // A sum with a bound, of products.
            if (name.StartsWith("OutlierColumns", StringComparison.Ordinal)) continue;
            Assert.DoesNotMatch(Fused(), ptx);
            // What steers a search may be fused; what decides is the next test's.
            if (name.StartsWith("SearchKernel", StringComparison.Ordinal)) continue;
            // The driver's compiler fuses a product and the sum that takes it, unless something is between them. Products may
            // be added to in the bucket's constant alone, which any rounding serves.
            foreach (Match product in Product().Matches(ptx))
            {
                string use = $@"(add|sub)\.f32\s+%f\d+, (%f\d+, )?{Regex.Escape(product.Groups[1].Value)}[,;](?! 0f4B400000)";
                Assert.False(Regex.IsMatch(ptx, use), $"{name}: {product.Value}");
            }
        }
    }

    [Fact]
    public void SearchKernels_AddNoProductOfFloat64ThatCouldBeFused()
    {
        (string Name, string Ptx)[] searches = [.. Kernels().Where(kernel => kernel.Key.StartsWith("SearchKernel", StringComparison.Ordinal)).Select(kernel => (kernel.Key, kernel.Value))];
        Assert.Equal(8, searches.Length);
        foreach ((string name, string ptx) in searches)
        {
            MatchCollection products = WideProduct().Matches(ptx);
            Assert.NotEmpty(products);
            HashSet<string> registers = [.. products.Select(product => product.Groups[1].Value)];
            // Whatever they are moved to, too, wherever that is.
            int known;
            do
            {
                known = registers.Count;
                foreach (Match move in WideMove().Matches(ptx))
                {
                    if (registers.Contains(move.Groups[2].Value)) registers.Add(move.Groups[1].Value);
                }
            }
            while (registers.Count > known);
            foreach (string register in registers)
            {
                Assert.False(Regex.IsMatch(ptx, $@"(add|sub)\.f64\s+%fd\d+, (%fd\d+, )?{register}[,;]"), $"{name}: {register}");
            }

            // Four values a load, of blocks with weights and without.
            Assert.Equal(3, Regex.Count(ptx, @"\bld\.(global\.)?v4\.b32"));
        }
    }

    [Fact]
    public void QuantizeKernels_LoadTheirValuesOnceAndInVectors()
    {
        foreach ((string name, string ptx) in Kernels().Where(kernel => kernel.Key.StartsWith("Quantize4", StringComparison.Ordinal)))
        {
            int quads = name.Contains("F32", StringComparison.Ordinal) ? 8 : 4;
            Assert.Equal(quads, Regex.Count(ptx, @"\bld\.(global\.)?v4\.b32"));
            Assert.Equal(1, Regex.Count(ptx, @"\bst\.(global\.)?v4\.b32"));
            // One load per value brings bucket and rank.
            Assert.Equal(32, Regex.Count(ptx, @"\bld\.shared\.b64"));
        }
    }

    [Fact]
    public void DequantizeKernels_StoreInVectors()
    {
        foreach ((string name, string ptx) in Kernels().Where(kernel => kernel.Key.StartsWith("Dequantize", StringComparison.Ordinal)))
        {
            if (name.StartsWith("Dequantize8", StringComparison.Ordinal)) continue;
            Assert.Equal(name.EndsWith("StoredF32>", StringComparison.Ordinal) ? 2 : 1, Regex.Count(ptx, @"\bst\.(global\.)?v4\.b32"));
            // 8 codes at once: 4 bytes or 8.
            int pairs = name.StartsWith("DequantizeRows8", StringComparison.Ordinal) ? 1 : 0;
            Assert.Equal(pairs, Regex.Count(ptx, @"\bld\.(global\.)?v2\.b32"));
        }
    }

    [Fact]
    public void ProductKernels_LoadCodesAndActivationsInVectors()
    {
        foreach ((string name, string ptx) in Kernels().Where(kernel => kernel.Key.StartsWith("Tensor", StringComparison.Ordinal)))
        {
            // 16 codes of 4 or 8 bits, twice before the loop and once in it; as often two quads of activations, which do not pass
            // through registers.
            bool int8 = HasByteCodes(name);
            Assert.Equal(int8 ? 3 : 0, Regex.Count(ptx, @"\bld\.(global\.)?v4\.b32"));
            Assert.Equal(int8 ? 0 : 3, Regex.Count(ptx, @"\bld\.(global\.)?v2\.b32"));
            Assert.Equal(6, Regex.Count(ptx, @"cp\.async\.cg\.shared\.global \[at\], \[\s*%rd\d+\], 16, \s*%r\d+;"));
        }

        foreach ((string name, string ptx) in Kernels().Where(kernel => kernel.Key.StartsWith("GemvKernel", StringComparison.Ordinal)))
        {
            Assert.Equal(name.Contains("F32", StringComparison.Ordinal) ? 2 : 1, Regex.Count(ptx, @"\bld\.(global\.)?v4\.b32"));
            Assert.Equal(HasByteCodes(name) ? 1 : 0, Regex.Count(ptx, @"\bld\.(global\.)?v2\.b32"));
        }
    }

    [Fact]
    public void WideRowKernels_LoadSixteenBytesOfCodes()
    {
        foreach ((string name, string ptx) in Kernels().Where(kernel => kernel.Key.StartsWith("GemvWide", StringComparison.Ordinal)))
        {
            int eights = HasByteCodes(name) ? 2 : 4;
            int activations = name.Contains("<StoredF32,", StringComparison.Ordinal) ? 2 * eights : eights;
            Assert.Equal(1 + activations, Regex.Count(ptx, @"\bld\.(global\.)?v4\.b32"));
        }
    }

    [Fact]
    public void TensorKernels_MultiplyEveryTileOfBothHalvesFromRegisters()
    {
        foreach ((string name, string ptx) in Kernels().Where(kernel => kernel.Key.Contains("Tensor", StringComparison.Ordinal)))
        {
            string operation = name.Contains("<MmaBF16,", StringComparison.Ordinal) ? "m16n8k16.row.col.f32.bf16.bf16.f32"
                : name.Contains("<MmaF16,", StringComparison.Ordinal) ? "m16n8k16.row.col.f32.f16.f16.f32" : "m16n8k32.row.col.s32.s8.s8.s32";
            for (int tile = 0; tile < 16; tile++)
            {
                // Left tile tile / 4, right tile tile % 4.
                string sums = Named("acc", tile * 4, 4), left = Named("fa", tile / 4 * 4, 4), right = Named("fb", tile % 4 * 2, 2);
                Assert.Equal(2, Regex.Count(ptx, Regex.Escape($"mma.sync.aligned.{operation} {sums}, {left}, {right}, {sums};")));
            }

            for (int four = 0; four < 4; four++)
            {
                foreach (string part in (string[])["fa", "fb"])
                {
                    string load = $"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {Named(part, four * 4, 4)}, [at+{1024 * four}];";
                    Assert.Equal(part == "fb" && four > 1 ? 0 : 2, Regex.Count(ptx, Regex.Escape(load)));
                }
            }

            // The sums are stored from where they are.
            for (int sum = 0; sum < 64; sum++) Assert.Equal(1, Regex.Count(ptx, $@"mov\.b32 taken, acc{sum};"));
            Assert.Equal(64, Regex.Count(ptx, @"st\.global\.[bf]32 \[\s*%rd\d+\], (taken|scaled);"));
        }

        static string Named(string name, int first, int count) =>
            $"{{{string.Join(", ", Enumerable.Range(first, count).Select(number => $"{name}{number}"))}}}";
    }

    [Fact]
    public void EveryKernel_HasTheInstructionsThatAreCommitted()
    {
        string file = Golden.File("ptx.txt");
        string[] lines = [.. Kernels().Select(kernel => PtxCounts.Line(kernel.Key, kernel.Value)).Order(StringComparer.Ordinal)];
        if (Environment.GetEnvironmentVariable("BNB_UPDATE_PTX") == "1") File.WriteAllLines(file, lines);

        Assert.Equal(File.ReadAllLines(file), lines);
    }

    private static Dictionary<string, string> Kernels()
    {
        Assert.NotEmpty(Listing.Value);
        return Listing.Value;
    }

    private static bool HasByteCodes(string name) =>
        name.Contains("Weights8", StringComparison.Ordinal) || name.Contains("WeightsFp8", StringComparison.Ordinal);

    private static int SharedBytes(string ptx) =>
        SharedArray().Matches(ptx).Sum(match => int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));

    [GeneratedRegex(@"@!?%p\d+\s+bra\.uni")]
    private static partial Regex UniformConditional();

    [GeneratedRegex(@"\.ftz|\.approx|div\.full")]
    private static partial Regex Inexact();

    [GeneratedRegex(@"\b(fma|mad)(\.rn|\.rz)?\.f(32|64)")]
    private static partial Regex Fused();

    [GeneratedRegex(@"mul\.f32\s+(%f\d+),")]
    private static partial Regex Product();

    [GeneratedRegex(@"mov\.f64\s+(%fd\d+), (%fd\d+);")]
    private static partial Regex WideMove();

    [GeneratedRegex(@"mul\.f64\s+(%fd\d+),")]
    private static partial Regex WideProduct();

    [GeneratedRegex(@"\.shared[^\n]*\[(\d+)\];")]
    private static partial Regex SharedArray();
}
