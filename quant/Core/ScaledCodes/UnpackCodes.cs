using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.ScaledCodes;

/// <summary>Codes of less than a byte to one byte each, as <see cref="DecodeCodes"/> takes them.</summary>
public static class UnpackCodes
{
    /// <summary>Two 4-bit codes a byte, the first in the lower half (MXFP4, NVFP4).</summary>
    /// <param name="packed">Half as many bytes as codes.</param>
    /// <param name="codes">An even number of codes. May not overlap the packed bytes.</param>
    /// <exception cref="ArgumentException">The lengths disagree.</exception>
    public static void LowFirst4(ReadOnlySpan<byte> packed, Span<byte> codes)
    {
        BlockGrid.CheckLength(nameof(codes), packed.Length * 2L, codes.Length);
        int i = 0;
        if (Vector128.IsHardwareAccelerated && BitConverter.IsLittleEndian)
        {
            // Inside the spans: 16 bytes are read and 32 written while so many are left of both.
            ref byte source = ref MemoryMarshal.GetReference(packed);
            ref byte place = ref MemoryMarshal.GetReference(codes);
            for (; i <= packed.Length - 16; i += 16)
            {
                Vector128<byte> pairs = Vector128.LoadUnsafe(ref source, (nuint)i);
                Spread(Vector128.WidenLower(pairs)).StoreUnsafe(ref place, (nuint)i * 2);
                Spread(Vector128.WidenUpper(pairs)).StoreUnsafe(ref place, ((nuint)i * 2) + 16);
            }
        }

        for (; i < packed.Length; i++)
        {
            codes[i * 2] = (byte)(packed[i] & 0xF);
            codes[(i * 2) + 1] = (byte)(packed[i] >> 4);
        }
    }

    /// <summary>Makes positive zeros of negative ones, in place: the table of NVIDIA's modelopt has +0.0 for code 8.</summary>
    /// <param name="codes">E2M1 codes, a byte each.</param>
    public static void DropNegativeZeros(Span<byte> codes) => codes.Replace((byte)8, (byte)0);

    private static Vector128<byte> Spread(Vector128<ushort> pairs) =>
        ((pairs & Vector128.Create((ushort)0xF)) | ((pairs >>> 4) << 8)).AsByte();
}
