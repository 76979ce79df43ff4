using Bnb.TestKit;
using Bnb.Tool.Tests.Diff;
using Bnb.Tool.Tests.Verify;
using Xunit;
using Verified = Bnb.Tool.Tests.Verify.Verification;

namespace Bnb.Tool.Tests.Integers;

/// <summary>INT4 whose scales are stored in another dtype than the source's weights: ours, and both kinds that others make.</summary>
public sealed class ScaleDTypeTests : IDisposable
{
    private const int GroupSize = 32, Rows = 64, Columns = 256;
    private const string Name = "model.layers.0.self_attn.q_proj.weight";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("BF16", "float16")]
    [InlineData("BF16", "float32")]
    [InlineData("F32", "bfloat16")]
    [InlineData("F16", "bfloat16")]
    public void Verify_ScaleDTypeOfOurs_Passes(string dtype, string scaleDType)
    {
        string source = VerifyModel.Source(_folder["source"], dtype);
        string output = VerifyModel.Quantize(source, _folder["out"], "--type", "int4", "--group-size", "64", "--scale", "search", "--scale-dtype", scaleDType);

        Verified.Passing(output, source);
        File.Delete(Path.Combine(output, "bnb-manifest.json"));
        Verified.Passing(output, source, "--scale", "search");
    }

    // A model loaded in another dtype than the file's, then quantized.
    [Theory]
    [InlineData("F32", "BF16", true)]
    [InlineData("F32", "F16", false)]
    [InlineData("F16", "BF16", true)]
    [InlineData("BF16", "F32", false)]
    public void Verify_WeightsThatWereCastFirst_Passes(string dtype, string scaleDType, bool symmetric)
    {
        TestTensor weight = NormalWeights.Of(Name, dtype, 1, Rows, Columns);
        TestTensor cast = weight with { DType = scaleDType, Data = Stored.Bytes(scaleDType, Stored.Values(dtype, weight.Data)) };

        Verified done = Verified.Passing(Packed(Naive(cast, scaleDType, symmetric), symmetric), CheckpointBuilder.SingleFile(_folder["source"], [weight]));

        Assert.Contains(done.Findings(), finding => !finding.Fails && finding.Text.StartsWith($"1 layers have {scaleDType} scales, and the source's weights are {dtype}", StringComparison.Ordinal));
    }

    // compressed-tensors with a scale_dtype: the scale is rounded after it was computed.
    [Theory]
    [InlineData("BF16", "F32", true)]
    [InlineData("BF16", "F32", false)]
    [InlineData("F32", "BF16", true)]
    [InlineData("F32", "F16", false)]
    public void Verify_ScalesThatWereRounded_Passes(string dtype, string scaleDType, bool symmetric)
    {
        TestTensor weight = NormalWeights.Of(Name, dtype, 1, Rows, Columns);
        List<TestTensor> parts = Naive(weight, scaleDType, symmetric);

        Verified.Passing(Packed(parts, symmetric), CheckpointBuilder.SingleFile(_folder["source"], [weight]));
        // One other code is found all the same.
        parts[0].Data[77] ^= 0x10;
        Assert.Equal((1, 0), Verified.Failing(Packed(parts, symmetric), _folder["source"]).Differing(Name));
    }

    private string Packed(List<TestTensor> parts, bool symmetric) => CheckpointBuilder.SingleFile(_folder["packed"], parts, HandGroups4.Config(GroupSize, symmetric) + "\n");

    /// <summary>The definition, value by value: scale and zero point in the weights' dtype, the scale rounded, the rest in the wider one.</summary>
    private static List<TestTensor> Naive(TestTensor weight, string scaleDType, bool symmetric)
    {
        float[] values = Stored.Values(weight.DType, weight.Data), scales = new float[values.Length / GroupSize];
        int[] zeros = new int[scales.Length];
        string promoted = weight.DType == scaleDType ? weight.DType : "F32";
        byte[] codes = new byte[values.Length / 2];
        for (int group = 0; group < scales.Length; group++)
        {
            float[] own = values[(group * GroupSize)..((group + 1) * GroupSize)];
            float min = MathF.Min(0, own.Min()), max = MathF.Max(0, own.Max());
            float scale = symmetric ? Round(MathF.Max(-min, max) / 7.5f, weight.DType) : Round(Round(max - min, weight.DType) / 15f, weight.DType);
            if (!symmetric) zeros[group] = Integer(Round(-8f - Round(min / scale, weight.DType), weight.DType));
            scales[group] = Round(scale, scaleDType);
            for (int i = 0; i < GroupSize; i++)
            {
                int code = 8 + Integer(Round(Round(own[i] / scales[group], promoted) + zeros[group], promoted)), at = (group * GroupSize) + i;
                codes[at / 2] |= (byte)(code << (at % 2 * 4));
            }
        }

        List<TestTensor> parts =
        [
            new($"{Module}.weight_packed", "I32", [Rows, Columns / 8], codes),
            new($"{Module}.weight_scale", scaleDType, [Rows, Columns / GroupSize], Stored.Bytes(scaleDType, scales)),
            new($"{Module}.weight_shape", "I64", [2], System.Runtime.InteropServices.MemoryMarshal.AsBytes<long>([Rows, Columns]).ToArray()),
        ];
        if (!symmetric) parts.Add(new TestTensor($"{Module}.weight_zero_point", "I32", [Rows / 8, Columns / GroupSize], ZeroPoints(zeros)));
        return parts;
    }

    private static string Module => Name[..^".weight".Length];

    // Eight rows to a word.
    private static byte[] ZeroPoints(int[] zeros)
    {
        int groups = Columns / GroupSize;
        byte[] packed = new byte[zeros.Length / 2];
        for (int i = 0; i < zeros.Length; i++)
        {
            int row = i / groups, at = (((row / 8 * groups) + (i % groups)) * 8) + (row % 8);
            packed[at / 2] |= (byte)((zeros[i] + 8) << (at % 2 * 4));
        }

        return packed;
    }

    private static int Integer(float value) => (int)MathF.Round(Math.Clamp(value, -8f, 7f));

    private static float Round(float value, string dtype) => HandPacked.Round(value, Stored.Torch(dtype));
}
