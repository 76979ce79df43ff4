using System.Runtime.Intrinsics;

namespace Bnb.Quant.Search;

/// <summary>The integers -8 to 7 of symmetric INT4: y rounded half to even and cut off at the ends. Codes are integer + 8,
/// as they are packed.</summary>
internal readonly struct Int4Table : ISearchTable
{
    /// <summary>1.5 * 2^23: the sum with it ends at the integer nearest to y, ties to even.</summary>
    private const float Shifter = 12582912f;

    public static float Top => 8f;

    public static float Zero => 0.499f;

    public static float Largest => 2f;

    public static float LargestStep => 15f;

    // The outermost bounds are 7.5 and 6.5.
    public static float Narrow => 1.05f;

    public static bool Mirrored => false;

    public static byte Encode(float y) => (byte)(8f + MathF.Round(Math.Clamp(y, -8f, 7f), MidpointRounding.ToEven));

    public static float ValueOf(byte code) => code - 8;

    public static byte CodeOf(float value) => (byte)((int)value + 8);

    public static Vector128<float> Nearest(Vector128<float> y) =>
        Vector128.Min(Vector128.Max(y, Vector128.Create(-8f)), Vector128.Create(7f)) + Vector128.Create(Shifter) - Vector128.Create(Shifter);

    public static Vector256<float> Nearest(Vector256<float> y) =>
        Vector256.Min(Vector256.Max(y, Vector256.Create(-8f)), Vector256.Create(7f)) + Vector256.Create(Shifter) - Vector256.Create(Shifter);

    public static Vector512<float> Nearest(Vector512<float> y) =>
        Vector512.Min(Vector512.Max(y, Vector512.Create(-8f)), Vector512.Create(7f)) + Vector512.Create(Shifter) - Vector512.Create(Shifter);
}
