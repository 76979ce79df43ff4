using System.Runtime.InteropServices;
using Bnb.Engine.Plans;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Fp8;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.Quant.Search;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// Quantizes and decodes in memory, to know what a form costs. With double quantization by absmax the mean of a piece stands for
/// that of the tensor, which changes the error by less than a thousandth of itself.
/// </summary>
internal static class RoundTrip
{
    /// <summary>The values of a piece after quantizing and decoding.</summary>
    /// <param name="stored">The piece as its kernel takes it: whole nested blocks, rows or groups.</param>
    /// <param name="first">Index in the weight of its first value.</param>
    public static void Of(Quantization form, ReadOnlySpan<byte> stored, long first, Span<float> decoded, KernelPath path)
    {
        var importance = new ColumnImportance(form.Importance, first);
        bool searches = form.Scale == ScaleRule.Search;
        switch (form)
        {
            case Blockwise4Quantization blockwise:
                Blockwise(blockwise, stored, importance, decoded, path);
                break;
            case Int8Quantization:
                var scb = new float[decoded.Length / form.Columns];
                var codes = new sbyte[decoded.Length];
                if (searches) SearchRows8.Run(form.ElementType, (int)form.Columns, stored, importance, scb, codes, path);
                else QuantizeRows8.Run(form.ElementType, (int)form.Columns, stored, scb, codes, path);
                DequantizeRows8.Run((int)form.Columns, codes, scb, decoded, path);
                break;
            case Int4Quantization groups:
                int size = groups.Recipe.GroupSize, groupCount = decoded.Length / size;
                byte[] scales = new byte[groupCount * groups.ScaleSize], packed = new byte[decoded.Length / 2];
                sbyte[] zeroPoints = groups.Recipe.Symmetric ? [] : new sbyte[groupCount];
                if (searches) SearchGroups4.Run(form.ElementType, groups.ScaleType, size, stored, importance, scales, packed, path);
                else QuantizeGroups4.Run(form.ElementType, size, groups.Recipe.Symmetric, stored, scales, zeroPoints, packed, path);
                DequantizeGroups4.Run(groups.ScaleType, size, packed, scales, zeroPoints, decoded, path);
                break;
            case Fp8Quantization:
                Fp8(form, stored, decoded, path);
                break;
            default:
                throw new ArgumentException($"{form.GetType().Name} cannot be measured", nameof(form));
        }
    }

    private static void Fp8(Quantization form, ReadOnlySpan<byte> stored, Span<float> decoded, KernelPath path)
    {
        int columns = (int)form.Columns, size = form.ElementType.Size();
        var codes = new byte[columns];
        Span<byte> scale = stackalloc byte[size];
        for (int first = 0; first < decoded.Length; first += columns)
        {
            ReadOnlySpan<byte> row = stored.Slice(first * size, columns * size);
            float absmax = 0f;
            QuantizeFp8Rows.RowAbsmax(form.ElementType, row, ref absmax);
            float value = QuantizeFp8Rows.Scale(form.ElementType, absmax, scale);
            QuantizeFp8Rows.Encode(form.ElementType, row, value, codes, path);
            DecodeCodes.Row(
                ScaledCode.E4M3, codes, [value], [], 0, columns, ElementType.F32, ElementType.F32,
                MemoryMarshal.AsBytes(decoded.Slice(first, columns)), path);
        }
    }

    private static void Blockwise(
        Blockwise4Quantization form, ReadOnlySpan<byte> stored, ColumnImportance importance, Span<float> decoded, KernelPath path)
    {
        Blockwise4Recipe recipe = form.Recipe;
        var absmax = new float[(decoded.Length + recipe.Blocksize - 1) / recipe.Blocksize];
        var packed = new byte[(decoded.Length + 1) / 2];
        var codes = new byte[absmax.Length];
        var nested = new float[(absmax.Length + NestedAbsmax.Blocksize - 1) / NestedAbsmax.Blocksize];
        float offset = 0;
        if (form.Scale == ScaleRule.Search && recipe.DoubleQuant)
        {
            SearchBlocks4.RunNested(recipe.Code, form.ElementType, recipe.Blocksize, stored, importance, codes, nested, packed, path);
        }
        else if (form.Scale == ScaleRule.Search)
        {
            SearchBlocks4.Run(recipe.Code, form.ElementType, recipe.Blocksize, stored, importance, absmax, packed, path);
        }
        else
        {
            Quantize4.Run(recipe.Code, form.ElementType, recipe.Blocksize, stored, absmax, packed, path);
            offset = AbsmaxMean.Of(absmax);
            if (recipe.DoubleQuant) NestedAbsmax.Quantize(absmax, offset, codes, nested, path);
        }

        if (recipe.DoubleQuant) NestedAbsmax.Dequantize(codes, nested, offset, absmax);
        Dequantize4.Run(recipe.Code, recipe.Blocksize, packed, absmax, decoded, path);
    }
}
