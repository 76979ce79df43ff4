using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>Portable: 16 codes become bytes in order, which are widened, multiplied and rounded one by one.</summary>
internal readonly unsafe struct GroupLookup128 : IGroupLookup4
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToStored<TElement>(in PackedGroups4 weights, long group, int first, int count, byte* destination)
        where TElement : struct, IElement
    {
        float scale = weights.ScaleAt(group), offset = weights.OffsetAt(group);
        ElementType scaleType = weights.ScaleType;
        int whole = count / 16 * 16;
        for (int i = 0; i < whole; i += 16)
        {
            Sixteen<TElement>(
                weights.CodesAt(group, first + i), scaleType, scale, offset,
                out Vector128<uint> v0, out Vector128<uint> v1, out Vector128<uint> v2, out Vector128<uint> v3);
            byte* place = destination + i * TElement.Size;
            if (TElement.Size == 4)
            {
                v0.AsByte().Store(place);
                v1.AsByte().Store(place + 16);
                v2.AsByte().Store(place + 32);
                v3.AsByte().Store(place + 48);
            }
            else
            {
                Vector128.Narrow(v0, v1).AsByte().Store(place);
                Vector128.Narrow(v2, v3).AsByte().Store(place + 16);
            }
        }

        GroupLookupScalar.ToStored<TElement>(
            weights, group, first + whole, count - whole, destination + whole * TElement.Size);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToSingle<TElement>(in PackedGroups4 weights, long group, int first, int count, float* destination)
        where TElement : struct, IElement
    {
        float scale = weights.ScaleAt(group), offset = weights.OffsetAt(group);
        ElementType scaleType = weights.ScaleType;
        int whole = count / 16 * 16;
        for (int i = 0; i < whole; i += 16)
        {
            Sixteen<TElement>(
                weights.CodesAt(group, first + i), scaleType, scale, offset,
                out Vector128<uint> v0, out Vector128<uint> v1, out Vector128<uint> v2, out Vector128<uint> v3);
            TElement.FromBits(v0).Store(destination + i);
            TElement.FromBits(v1).Store(destination + i + 4);
            TElement.FromBits(v2).Store(destination + i + 8);
            TElement.FromBits(v3).Store(destination + i + 12);
        }

        GroupLookupScalar.ToSingle<TElement>(weights, group, first + whole, count - whole, destination + whole);
    }

    /// <summary>The values of 8 bytes of codes as stored bits, one per lane, in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sixteen<TElement>(
        byte* packed,
        ElementType scaleType,
        float scale,
        float offset,
        out Vector128<uint> v0,
        out Vector128<uint> v1,
        out Vector128<uint> v2,
        out Vector128<uint> v3)
        where TElement : struct, IElement
    {
        Vector128<ushort> bytes = Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(packed)).AsByte());
        Vector128<byte> codes = (bytes | (bytes << 4)).AsByte() & Vector128.Create((byte)0xF);
        (Vector128<ushort> near, Vector128<ushort> far) = Vector128.Widen(codes);
        (Vector128<uint> c0, Vector128<uint> c1) = Vector128.Widen(near);
        (Vector128<uint> c2, Vector128<uint> c3) = Vector128.Widen(far);
        v0 = Four<TElement>(c0, scaleType, scale, offset);
        v1 = Four<TElement>(c1, scaleType, scale, offset);
        v2 = Four<TElement>(c2, scaleType, scale, offset);
        v3 = Four<TElement>(c3, scaleType, scale, offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Four<TElement>(Vector128<uint> codes, ElementType scaleType, float scale, float offset)
        where TElement : struct, IElement
    {
        Vector128<float> factors = Vector128.ConvertToSingle(codes.AsInt32()) - Vector128.Create(offset);
        Vector128<float> products = factors * Vector128.Create(scale);
        Vector128<float> values = scaleType switch
        {
            ElementType.F32 => products,
            ElementType.F16 => F16Element.FromBits(F16Element.ToBits(products)),
            _ => BF16Element.FromBits(BF16Element.ToBits(products)),
        };
        return TElement.ToBits(values);
    }
}
