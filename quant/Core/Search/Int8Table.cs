using System.Runtime.Intrinsics;

namespace Bnb.Quant.Search;

/// <summary>
/// The codes -127 to 127 of LLM.int8(): y = x / SCB, times 127, rounded half to even and cut off at the ends. The value of a
/// code is code * 0.0078740157, the loader's constant, so that SCB itself is the scale. Codes are two's complement.
/// </summary>
internal readonly struct Int8Table : ISearchTable
{
    private const float Shifter = 12582912f;

    /// <summary>The float32 nearest 1/127, with which bitsandbytes decodes.</summary>
    private const float Step = 7.874015718698502e-3f;

    public static float Top => 127f * Step;

    public static float Zero => 0.499f / 127f;

    // A larger scale only makes the steps larger: with 255 codes there is nothing to gain by it.
    public static float Largest => 1f;

    public static ReadOnlySpan<float> Start =>
        [0.8f, 0.82f, 0.84f, 0.86f, 0.88f, 0.895f, 0.91f, 0.92f, 0.93f, 0.94f, 0.95f, 0.96f, 0.97f, 0.98f, 0.99f, 1f];

    public static bool Mirrored => true;

    public static byte Encode(float y) => (byte)(sbyte)MathF.Round(Math.Clamp(y * 127f, -127f, 127f), MidpointRounding.ToEven);

    public static float ValueOf(byte code) => (sbyte)code * Step;

    public static byte CodeOf(float value) => (byte)(sbyte)MathF.Round(value * 127f);

    public static Vector128<float> Nearest(Vector128<float> y)
    {
        Vector128<float> inside = Vector128.MinNative(Vector128.MaxNative(y * Vector128.Create(127f), Vector128.Create(-127f)), Vector128.Create(127f));
        return (inside + Vector128.Create(Shifter) - Vector128.Create(Shifter)) * Vector128.Create(Step);
    }

    public static Vector256<float> Nearest(Vector256<float> y)
    {
        Vector256<float> inside = Vector256.MinNative(Vector256.MaxNative(y * Vector256.Create(127f), Vector256.Create(-127f)), Vector256.Create(127f));
        return (inside + Vector256.Create(Shifter) - Vector256.Create(Shifter)) * Vector256.Create(Step);
    }

    public static Vector512<float> Nearest(Vector512<float> y)
    {
        Vector512<float> inside = Vector512.MinNative(Vector512.MaxNative(y * Vector512.Create(127f), Vector512.Create(-127f)), Vector512.Create(127f));
        return (inside + Vector512.Create(Shifter) - Vector512.Create(Shifter)) * Vector512.Create(Step);
    }
}
