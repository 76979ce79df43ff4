using System.Runtime.CompilerServices;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Fp8;

/// <summary>Encodes values that share a scale, for one vector width.</summary>
internal interface IFp8Kernel
{
    /// <summary>The least number of values that <see cref="Encode"/> takes.</summary>
    static abstract int Least { get; }

    /// <summary>The codes of at least <see cref="Least"/> values: value / scale, rounded to the type, clamped, rounded to
    /// E4M3. What is no multiple of the step is done by a last step that overlaps the one before.</summary>
    static abstract void Encode<TElement>(ref float values, int count, float scale, ref byte codes)
        where TElement : struct, IElement;
}

/// <summary>The definition. Slow and obvious on purpose; every other path must give these bytes.</summary>
internal readonly struct Fp8KernelReference : IFp8Kernel
{
    public static int Least => 0;

    public static void Encode<TElement>(ref float values, int count, float scale, ref byte codes)
        where TElement : struct, IElement
    {
        for (int i = 0; i < count; i++)
            Unsafe.Add(ref codes, i) = E4M3.Encode(TElement.FromBits(TElement.ToBits(Unsafe.Add(ref values, i) / scale)));
    }
}
