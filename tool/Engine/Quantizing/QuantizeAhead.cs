using System.Security.Cryptography;
using Bnb.Engine.Devices;
using Bnb.Engine.Text;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Quantizing;

/// <summary>Runs once what the second half of every quantization runs, on values of nobody, so that it is compiled by then.</summary>
internal static class QuantizeAhead
{
    /// <summary>The kernels of nf4 from bf16, which most runs use; the hash; the writer of plans and manifests.</summary>
    public static void Prepare()
    {
        var engine = new CpuEngine(KernelChoice.Selected());
        const int Values = 64;
        engine.QuantizeNested4(
            Code4Catalog.Nf4, ElementType.BF16, Values, new byte[2 * Values], new byte[Values / 2], new byte[1], new float[1], out _);
        SHA256.HashData([]);
        JsonLine.Indented(static json =>
        {
            json.WriteNumber("bytes", 1);
            json.WriteString("dtype", "BF16");
        });
    }
}
