using Bnb.Quant.Blockwise;
using Bnb.Quant.Metrics;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>Four million normal weights lose what the theory says, in themselves and in products.</summary>
public sealed class TheoryTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Verify_NormalWeights_LoseWhatTheorySays()
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [NormalWeights.Of(VerifyModel.Query, "F32", 1, 4096, 1024)]);
        foreach (string type in (string[])["nf4", "fp4"])
        {
            VerifyModel.Quantize(source, _folder[type], "--type", type, "--double-quant", "false");

            Verification done = Verification.Passing(_folder[type], source, "--tokens", "16", "--compute-dtype", "float16");

            double expected = Theory4.RelativeRmse(Code4Catalog.ByName(type), 64);
            Assert.Equal(expected, done.Weight(VerifyModel.Query, "expected"));
            Assert.Equal(1, done.Weight(VerifyModel.Query, "relative_rmse") / expected, 2e-3);
            Assert.Equal(1, done.Gemm(VerifyModel.Query, "total_relative_error") / expected, 1e-2);
        }
    }
}
