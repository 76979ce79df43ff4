using System.Runtime.Intrinsics;

namespace Bnb.Quant.Codes;

/// <summary>
/// The 4-bit float of bitsandbytes: sign, and a magnitude out of 0, 1/192, 1/6, 1/4, 1/3, 1/2, 2/3, 1. Table as
/// <c>functional.py get_4bit_type</c>, decision as the CUDA kernel's <c>dQuantizeFP4</c>.
/// </summary>
internal readonly struct Fp4 : ICode4
{
    // The kernel's constants are rounded decimals, not exact midpoints, so they are data and not derived.
    private static readonly float[] Bounds =
        [0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f];

    public static string Name => "fp4";

    public static ReadOnlySpan<float> Thresholds => Bounds;

    public static bool SignMagnitude => true;

    // Code 8 is a positive zero: upstream writes an integer -0 there.
    public static float[] CreateValues()
    {
        ReadOnlySpan<float> twelfths = [0f, 0.0625f, 8f, 12f, 4f, 6f, 2f, 3f];
        var values = new float[16];
        for (int code = 0; code < 8; code++)
        {
            values[code] = twelfths[code] / 12f;
            values[code + 8] = code == 0 ? 0f : -twelfths[code] / 12f;
        }

        return values;
    }

    public static byte Encode(float x)
    {
        int sign = x < 0 ? 8 : 0;
        float magnitude = MathF.Abs(x);
        int code;
        if (magnitude > Bounds[3])
        {
            if (magnitude > Bounds[5]) code = magnitude > Bounds[6] ? 3 : 2;
            else code = magnitude > Bounds[4] ? 5 : 4;
        }
        else if (magnitude > Bounds[1]) code = magnitude > Bounds[2] ? 7 : 6;
        else code = magnitude > Bounds[0] ? 1 : 0;

        return (byte)(code | sign);
    }

    // Ranks 0..7 have the codes 0, 1, 6, 7, 4, 5, 2, 3: bit 2 is flipped where bit 1 is set. The sign bit 3 stays.
    public static Vector128<uint> FromRanks(Vector128<uint> ranks) => ranks ^ ((ranks + ranks) & Vector128.Create(0x4444_4444u));

    public static Vector256<uint> FromRanks(Vector256<uint> ranks) => ranks ^ ((ranks + ranks) & Vector256.Create(0x4444_4444u));

    public static Vector512<uint> FromRanks(Vector512<uint> ranks) => ranks ^ ((ranks + ranks) & Vector512.Create(0x4444_4444u));
}
