using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Float32 bits as signed integers. BitConverter is not for kernels.</summary>
internal static class Bits
{
    public static int Of(float value) => unchecked((int)Interop.FloatAsInt(value));

    public static float ToSingle(int bits) => Interop.IntAsFloat(unchecked((uint)bits));
}
