using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Formats.Torch;

/// <content>
/// Folding by carry-less multiplication: Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
/// Instruction" (Intel, 2009), with the constants that it gives for this polynomial in reflected order. Weights are
/// checked before they are used, and the tables alone would be slower than the disk.
/// </content>
internal static partial class Crc32
{
    private const int BlockBytes = 16;
    private const int FoldedBytes = 4 * BlockBytes;

    // x^n modulo the polynomial for the distances of four blocks, of one, and of half of one, and what reduces 64 bits to 32.
    private static readonly Vector128<ulong> FourBlocks = Vector128.Create(0x154442bd4UL, 0x1c6e41596UL);
    private static readonly Vector128<ulong> OneBlock = Vector128.Create(0x1751997d0UL, 0x0ccaa009eUL);
    private static readonly Vector128<ulong> HalfBlock = Vector128.Create(0x163cd6124UL, 0UL);
    private static readonly Vector128<ulong> Reduction = Vector128.Create(0x1db710641UL, 0x1f7011641UL);

    /// <summary>True where the processor can fold.</summary>
    public static bool CanFold => Pclmulqdq.IsSupported;

    /// <summary>The state after bytes, neither of them inverted.</summary>
    /// <param name="state">The state before.</param>
    /// <param name="bytes">Whole blocks, four or more.</param>
    private static uint Fold(uint state, ReadOnlySpan<byte> bytes)
    {
        Vector128<ulong> a = Block(bytes, 0) ^ Vector128.CreateScalar((ulong)state);
        Vector128<ulong> b = Block(bytes, 1), c = Block(bytes, 2), d = Block(bytes, 3);
        bytes = bytes[FoldedBytes..];
        while (bytes.Length >= FoldedBytes)
        {
            a = Next(a, FourBlocks, Block(bytes, 0));
            b = Next(b, FourBlocks, Block(bytes, 1));
            c = Next(c, FourBlocks, Block(bytes, 2));
            d = Next(d, FourBlocks, Block(bytes, 3));
            bytes = bytes[FoldedBytes..];
        }

        a = Next(Next(Next(a, OneBlock, b), OneBlock, c), OneBlock, d);
        for (; bytes.Length >= BlockBytes; bytes = bytes[BlockBytes..]) a = Next(a, OneBlock, Block(bytes, 0));

        // 128 bits to 64, and by Barrett's reduction to 32.
        Vector128<ulong> low = Vector128.Create(0xffffffffUL);
        a = Sse2.ShiftRightLogical128BitLane(a, 8) ^ Pclmulqdq.CarrylessMultiply(a, OneBlock, 0x10);
        a = Sse2.ShiftRightLogical128BitLane(a, 4) ^ Pclmulqdq.CarrylessMultiply(a & low, HalfBlock, 0x00);
        Vector128<ulong> quotient = Pclmulqdq.CarrylessMultiply(a & low, Reduction, 0x10) & low;
        return (a ^ Pclmulqdq.CarrylessMultiply(quotient, Reduction, 0x00)).AsUInt32().GetElement(1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Next(Vector128<ulong> sum, Vector128<ulong> distance, Vector128<ulong> block) =>
        Pclmulqdq.CarrylessMultiply(sum, distance, 0x00) ^ Pclmulqdq.CarrylessMultiply(sum, distance, 0x11) ^ block;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Block(ReadOnlySpan<byte> bytes, int index) =>
        MemoryMarshal.Read<Vector128<ulong>>(bytes.Slice(index * BlockBytes, BlockBytes));
}
