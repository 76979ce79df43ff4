using Bnb.Engine.Devices;
using Bnb.Engine.Verifying;
using Bnb.Engine.Work;
using Bnb.Formats.Tensors;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>The bound on the kernel's error: never broken by a right kernel, always by one that is 0.3 % off.</summary>
public sealed class KernelTests(LimitTests.Model model) : IClassFixture<LimitTests.Model>
{
    [Theory]
    [InlineData(ElementType.BF16)]
    [InlineData(ElementType.F16)]
    public void Measure_RightKernelOfAnyShape_StaysWithinTheBound(ElementType type)
    {
        var random = new Random(1);
        for (int round = 0; round < 60; round++)
        {
            int tokens = round % 3 == 0 ? 1 : random.Next(1, 9), rows = random.Next(1, 40), columns = random.Next(1, round % 5 == 0 ? 3000 : 300);
            var shape = new Shape(tokens, rows, columns, 32 << random.Next(8), random.Next(2) == 0 ? "nf4" : "fp4");

            PanelResult result = Products(shape, type, KernelPaths.Available[round % KernelPaths.Available.Count], 1, round);

            Assert.True(result.KernelBoundUse <= 1, $"{shape}: {result.KernelBoundUse}");
            Assert.True(result.Kernel.RelativeRmse <= GemmBounds.UnitRoundoff(type), $"{shape}: {result.Kernel.RelativeRmse}");
        }
    }

    [Theory]
    [InlineData(ElementType.BF16, 1.003f)]
    [InlineData(ElementType.F16, 1.003f)]
    [InlineData(ElementType.F16, 0.997f)]
    public void Measure_KernelOffByThreeInAThousand_BreaksTheBound(ElementType type, float factor)
    {
        var random = new Random(2);
        for (int round = 0; round < 20; round++)
        {
            var shape = new Shape(random.Next(1, 9), random.Next(1, 40), random.Next(64, 1500), 64, round % 2 == 0 ? "nf4" : "fp4");

            PanelResult result = Products(shape, type, KernelPaths.Available[^1], factor, round);

            Assert.True(result.KernelBoundUse > 1, $"{shape}: {result.KernelBoundUse}");
        }
    }

    [Theory]
    [InlineData(0.99, true)]
    [InlineData(1.01, false)]
    [InlineData(double.NaN, false)]
    [InlineData(double.PositiveInfinity, false)]
    public void Judge_BoundUse_FailsAboveOne(double use, bool passes)
    {
        var request = new VerifyRequest { QuantizedPath = model.Good, SourcePath = model.Source };
        VerifyPlan plan = VerifyPlan.Make(request);
        LayerPlan layer = plan.Layers[0];
        CheckpointFile[] files = [layer.Weight.Stored.File, .. layer.Source.SourceFiles];
        using var source = new TensorSource(files);
        using var engine = new CpuEngine(KernelPaths.Selected);
        LayerRun run = LayerRun.Create(
            layer, new LayerContext(source, new Activations(request, ElementType.BF16), ElementType.BF16, 6f, engine, engine.PreferredChunkValues));
        var buffers = new VerifyBuffers(VerifySizes.Of(plan.Layers, request.Tokens, engine.PreferredChunkValues));
        for (int panel = 0; panel < run.PanelCount; panel++) run.Process(panel, buffers);
        PanelResult measured = run.Merged();
        measured.KernelBoundUse = use;

        LayerResult judged = LayerJudge.Judge(run, measured, ElementType.BF16, request.Tokens, Thresholds.FromTheory);

        Assert.Equal(passes, judged.Passed);
        if (!passes) Assert.Equal("kernel-error", Assert.Single(judged.Findings).Rule);
    }

    /// <param name="factor">What a faulty kernel makes of every weight.</param>
    private static PanelResult Products(Shape shape, ElementType type, KernelPath path, float factor, int seed)
    {
        (int tokens, int rows, int columns, int blocksize, string name) = shape;
        Code4 code = Code4Catalog.ByName(name);
        int count = rows * columns, blocks = (count + blocksize - 1) / blocksize;
        float[] weights = NormalWeights.Values(seed, count, 0.02f), absmax = new float[blocks], decoded = new float[count];
        byte[] packed = new byte[(count + 1) / 2];
        Quantize4.Run(code, ElementType.F32, blocksize, System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(weights), absmax, packed, path);
        Dequantize4.Run(code, blocksize, packed, absmax, decoded, path);

        float[] values = NormalWeights.Values(seed + 1000, tokens * columns);
        byte[] stored = new byte[values.Length * 2];
        Narrow.FromSingle(type, values, stored);
        Widen.ToSingle(type, stored, values);
        var result = new PanelResult();
        float[] scales = Array.ConvertAll(absmax, value => value * factor);
        using var source = new TensorSource(Array.Empty<CheckpointFile>());
        using var engine = new CpuEngine(path);
        var context = new LayerContext(source, null, type, 6f, engine, engine.PreferredChunkValues);
        var buffers = new VerifyBuffers(new VerifySizes(count, 4, rows, blocks, 4, false, tokens));
        MixedGemm4.Run(tokens, rows, columns, type, stored, code, blocksize, 0, packed, scales, buffers.Packed.AsSpan(0, tokens * rows), 1, path);
        PanelProducts.Measure(
            result, new ActivationMatrix(tokens, columns, type, stored, values), rows, columns, weights, decoded, seed % rows, GemmBounds.ForFp32, buffers, context);
        return result;
    }

    private sealed record Shape(int Tokens, int Rows, int Columns, int Blocksize, string Type);
}
