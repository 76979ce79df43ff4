using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>How the weights of a product are stored.</summary>
/// <param name="Code">The 4-bit type; null for rows of LLM.int8().</param>
/// <param name="Blocksize">Of a 4-bit type: values per block.</param>
/// <param name="Phase">Of a 4-bit type: values of the first block before the weight [0,0].</param>
internal readonly record struct WeightFormat(Code4? Code, int Blocksize, int Phase)
{
    /// <summary>One byte per code, one absmax per row.</summary>
    public static WeightFormat Int8Rows => default;

    /// <exception cref="ArgumentOutOfRangeException">The block size is none, or the phase is outside of it.</exception>
    public void Check()
    {
        if (Code is null) return;
        BlockGrid.CheckBlocksize(Blocksize);
        ArgumentOutOfRangeException.ThrowIfNegative(Phase);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Phase, Blocksize);
    }

    /// <summary>Bytes of so many codes.</summary>
    public long CodeBytes(long values) => Code is null ? values : (Phase + values + 1) / 2;

    /// <summary>How many absmax scale n rows of k weights.</summary>
    public long Scales(int n, int k) => Code is null ? n : BlockGrid.BlockCount(Phase + (long)n * k, Blocksize);
}
