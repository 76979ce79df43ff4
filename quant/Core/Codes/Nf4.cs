using System.Runtime.Intrinsics;

namespace Bnb.Quant.Codes;

/// <summary>
/// NormalFloat4: values at the quantiles of a normal distribution, 8 above zero, 7 below, and zero (Dettmers et al., QLoRA,
/// arXiv:2305.14314). Table as bitsandbytes <c>functional.py create_normal_map</c>, decision as the CUDA kernel's
/// <c>dQuantizeNF4</c>.
/// </summary>
internal readonly struct Nf4 : ICode4
{
    /// <summary>
    /// The kernel's constants, each the midpoint of two neighbouring values: read as float64 and rounded to float32. Read
    /// directly as float32 four of them would come out one step lower, because their decimal text is just below a tie.
    /// </summary>
    private static readonly float[] Bounds =
    [
        (float)-0.8480964004993439, (float)-0.6106329262256622, (float)-0.4599952697753906, (float)-0.33967943489551544,
        (float)-0.23460740596055984, (float)-0.13791173323988914, (float)-0.045525018125772476, (float)0.03979014977812767,
        (float)0.1202552504837513, (float)0.2035212516784668, (float)0.2920137718319893, (float)0.3893125355243683,
        (float)0.5016634166240692, (float)0.6427869200706482, (float)0.8614784181118011,
    ];

    public static string Name => "nf4";

    public static ReadOnlySpan<float> Thresholds => Bounds;

    public static bool SignMagnitude => false;

    public static float[] CreateValues() => NormalFloat.Values(4);

    // Every bound below x counts one, and NaN is above none, which is what the kernel's tree of comparisons returns.
    public static byte Encode(float x)
    {
        byte code = 0;
        foreach (float bound in Bounds)
        {
            if (x > bound) code++;
        }

        return code;
    }

    public static Vector128<uint> FromRanks(Vector128<uint> ranks) => ranks;

    public static Vector256<uint> FromRanks(Vector256<uint> ranks) => ranks;

    public static Vector512<uint> FromRanks(Vector512<uint> ranks) => ranks;
}
