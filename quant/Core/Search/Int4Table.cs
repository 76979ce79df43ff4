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

    public static ReadOnlySpan<float> Start =>
        [0.5f / 8f, 0.58f / 8f, 0.66f / 8f, 0.74f / 8f, 0.81f / 8f, 0.88f / 8f, 0.95f / 8f, 1.02f / 8f,
         1.09f / 8f, 1.17f / 8f, 1.26f / 8f, 1.37f / 8f, 1.5f / 8f, 1.7f / 8f, 2.0f / 8f, 2.5f / 8f];

    public static bool Mirrored => false;

    public static byte Encode(float y) => (byte)(8f + MathF.Round(Math.Clamp(y, -8f, 7f), MidpointRounding.ToEven));

    public static float ValueOf(byte code) => code - 8;

    public static byte CodeOf(float value) => (byte)((int)value + 8);

    public static Vector128<float> Nearest(Vector128<float> y) =>
        Vector128.MinNative(Vector128.MaxNative(y, Vector128.Create(-8f)), Vector128.Create(7f)) + Vector128.Create(Shifter) - Vector128.Create(Shifter);

    public static Vector256<float> Nearest(Vector256<float> y) =>
        Vector256.MinNative(Vector256.MaxNative(y, Vector256.Create(-8f)), Vector256.Create(7f)) + Vector256.Create(Shifter) - Vector256.Create(Shifter);

    public static Vector512<float> Nearest(Vector512<float> y) =>
        Vector512.MinNative(Vector512.MaxNative(y, Vector512.Create(-8f)), Vector512.Create(7f)) + Vector512.Create(Shifter) - Vector512.Create(Shifter);
}
