using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu.Operations;

/// <summary>How the weights of a product are stored.</summary>
/// <param name="Code">The 4-bit type; null for rows of LLM.int8() and groups of INT4.</param>
/// <param name="Blocksize">Of a 4-bit type: values per block; of INT4 values per group.</param>
/// <param name="Phase">Of a 4-bit type: values of the first block before the weight [0,0].</param>
/// <param name="GroupScales">Of INT4: the type of the scales; null for others.</param>
internal readonly record struct WeightFormat(Code4? Code, int Blocksize, int Phase, ElementType? GroupScales = null)
{
    /// <summary>float32 as they are, with no scales; the tiled kernel alone takes them.</summary>
    public static WeightFormat Dense => new() { IsDense = true };

    /// <summary>Whether there is nothing to decode.</summary>
    public bool IsDense { get; private init; }

    /// <summary>Whether codes are E4M3.</summary>
    public bool IsFp8 { get; private init; }

    /// <summary>One byte per code, one absmax per row.</summary>
    public static WeightFormat Int8Rows => default;

    /// <summary>One E4M3 byte per code, one scale per row.</summary>
    public static WeightFormat Fp8Rows => new() { IsFp8 = true };

    /// <summary>Two codes a byte, a pair of scale and offset per group.</summary>
    public static WeightFormat Int4Groups(int groupSize, ElementType scales) => new(null, groupSize, 0, scales);

    /// <summary>Whether values are blocks or groups of <see cref="Blocksize"/>, two codes a byte.</summary>
    private bool IsPacked => Code is not null || GroupScales is not null;

    /// <summary>The struct that stands for the weights in kernels.</summary>
    public Type Kernel => IsDense ? typeof(WeightsF32) : IsFp8 ? typeof(WeightsFp8) : Code is not null ? typeof(Weights4)
        : GroupScales is { } type ? typeof(WeightsGroups4<>).MakeGenericType(KernelTypes.Of(type)) : typeof(Weights8);

    /// <exception cref="ArgumentOutOfRangeException">The block size is none, or the phase is outside of it.</exception>
    public void Check()
    {
        if (!IsPacked) return;
        BlockGrid.CheckBlocksize(Blocksize);
        ArgumentOutOfRangeException.ThrowIfNegative(Phase);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Phase, Blocksize);
    }

    /// <summary>Bytes of so many codes.</summary>
    public long CodeBytes(long values) => IsPacked ? (Phase + values + 1) / 2 : IsDense ? values * sizeof(float) : values;

    /// <summary>How many float32 scale n rows of k weights.</summary>
    public long Scales(int n, int k)
    {
        // A buffer of nothing is not one on every device.
        if (IsDense) return 1;
        if (!IsPacked) return n;
        long blocks = BlockGrid.BlockCount(Phase + (long)n * k, Blocksize);
        return GroupScales is null ? blocks : 2 * blocks;
    }

    /// <summary>Weights in 16 bytes of codes.</summary>
    public int WideLoad => IsPacked ? 32 : 16;

    /// <summary>log2 of the block size; 0 without blocks.</summary>
    public int BlockShift => IsPacked ? int.Log2(Blocksize) : 0;
}
