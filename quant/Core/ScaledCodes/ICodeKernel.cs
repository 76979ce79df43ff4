using System.Runtime.CompilerServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.ScaledCodes;

/// <summary>Decodes codes that share a scale, for one vector width.</summary>
internal interface ICodeKernel
{
    /// <summary>The least number of codes that <see cref="Run"/> takes.</summary>
    static abstract int Least { get; }

    /// <summary>Writes the values of at least <see cref="Least"/> codes as stored. What is no multiple of the step is done by
    /// a last step that overlaps the one before and writes the same bytes again.</summary>
    static abstract void Run<TCode, TThrough, TElement>(ref byte codes, int count, float scale, float zero, ref byte destination)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement;
}

/// <summary>The definition. Slow and obvious on purpose; every other path must give these bytes.</summary>
internal readonly struct CodeKernelReference : ICodeKernel
{
    /// <summary>The NaN that every NaN becomes.</summary>
    public const uint QuietNaN = 0x7FC0_0000;

    public static int Least => 0;

    public static void Run<TCode, TThrough, TElement>(ref byte codes, int count, float scale, float zero, ref byte destination)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        for (int i = 0; i < count; i++)
        {
            float value = TCode.Of(Unsafe.Add(ref codes, i), zero) * scale;
            // Which NaN a product of NaNs, or of 0 and an infinity, is depends on the machine.
            if (float.IsNaN(value)) value = BitConverter.UInt32BitsToSingle(QuietNaN);
            uint bits = TElement.ToBits(TThrough.FromBits(TThrough.ToBits(value)));
            ref byte place = ref Unsafe.Add(ref destination, i * TElement.Size);
            if (TElement.Size == 4) Unsafe.WriteUnaligned(ref place, BitConverter.IsLittleEndian ? bits : Reversed(bits));
            else Unsafe.WriteUnaligned(ref place, BitConverter.IsLittleEndian ? (ushort)bits : (ushort)(Reversed(bits) >> 16));
        }
    }

    private static uint Reversed(uint bits) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(bits);
}
