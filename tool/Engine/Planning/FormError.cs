using System.Runtime.InteropServices;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Nested;
using Bnb.Quant.Numerics;
using Bnb.Quant.Search;

namespace Bnb.Engine.Planning;

/// <summary>
/// Quantizes a tensor in memory, decodes it and adds up the squared error, piece by piece. With double quantization by absmax the
/// mean of a piece stands for that of the tensor, which changes the error by less than a thousandth of itself.
/// </summary>
internal sealed class FormError(TensorSource source, KernelPath path)
{
    // Whole nested blocks of every block size.
    private const int PieceValues = 1 << 20;

    /// <summary>Sum of weight * (value - decoded)^2 over sum of weight * value^2; 0 for a tensor of zeros.</summary>
    public double Relative(TensorPlan tensor, Quantization form, CancellationToken cancellation)
    {
        TensorPlan plan = tensor with { Quantization = form };
        int columns = (int)form.Columns;
        long piece = form is Blockwise4Quantization ? PieceValues : Math.Max(1, PieceValues / columns) * (long)columns;
        double error = 0, energy = 0;
        for (long first = 0; first < form.ValueCount; first += piece)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = (int)Math.Min(piece, form.ValueCount - first);
            var buffers = new WorkerBuffers(count * 8, form.Transpose ? count * 8 : 0, 0, 0);
            ReadOnlySpan<byte> stored = source.ReadValues(plan, first, count, buffers, null);
            float[] values = new float[count], decoded = new float[count];
            Widen.ToSingle(form.ElementType, stored, values);
            Decode(form, stored, first, decoded);
            for (int i = 0; i < count; i++)
            {
                double weight = form.Importance?[(int)((first + i) % columns)] ?? 1, rest = values[i] - decoded[i];
                error += weight * rest * rest;
                energy += weight * values[i] * values[i];
            }
        }

        return energy > 0 ? error / energy : 0;
    }

    private void Decode(Quantization form, ReadOnlySpan<byte> stored, long first, Span<float> decoded)
    {
        var importance = new ColumnImportance(form.Importance, first);
        bool searches = form.Scale == ScaleRule.Search;
        switch (form)
        {
            case Blockwise4Quantization blockwise:
                Blockwise(blockwise, stored, importance, decoded);
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
            default:
                throw new ArgumentException($"{form.GetType().Name} cannot be measured", nameof(form));
        }
    }

    private void Blockwise(Blockwise4Quantization form, ReadOnlySpan<byte> stored, ColumnImportance importance, Span<float> decoded)
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
