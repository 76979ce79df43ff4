using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>The addresses and layout of int8 weights and the columns wanted of them. Valid while the caller keeps them fixed.</summary>
internal readonly unsafe struct OutlierWeights8(sbyte* codes, float* scales, int* columns, int k)
{
    public readonly sbyte* Codes = codes;
    public readonly float* Scales = scales;
    public readonly int* Columns = columns;
    public readonly int K = k;
}

/// <summary>Some columns of an int8 weight, dequantized and rounded to the compute type: round((code * SCB) * (1/127)), each
/// product rounded to float32.</summary>
/// <remarks>Source: <c>_ops.py int8_vectorwise_dequant</c>, <c>backends/default/ops.py int8_mixed_scaled_mm</c>.</remarks>
internal readonly unsafe struct OutlierRows8<TElement>(OutlierWeights8 weights) : IWeightRows
    where TElement : struct, IElement
{
    /// <summary>1 / 127, rounded to float32.</summary>
    public const float Inverse = 7.874015718698502e-3f;

    private readonly OutlierWeights8 _weights = weights;

    public bool InPairs => false;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Fill(long row, int first, int count, float* destination)
    {
        sbyte* codes = _weights.Codes + (nint)row * _weights.K;
        int* columns = _weights.Columns + first;
        float scale = _weights.Scales[row];
        for (int p = 0; p < count; p++) destination[p] = codes[columns[p]];
        int i = 0;
        for (; i <= count - 8; i += 8)
        {
            Vector256<float> value = Vector256.Load(destination + i) * Vector256.Create(scale) * Vector256.Create(Inverse);
            TElement.FromBits(TElement.ToBits(value)).Store(destination + i);
        }

        for (; i < count; i++) destination[i] = TElement.FromBits(TElement.ToBits(destination[i] * scale * Inverse));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public float Dot<TTile>(long row, int first, int count, float* x)
        where TTile : struct, IGemmTile
    {
        float* buffer = stackalloc float[count];
        Fill(row, first, count, buffer);
        return TTile.Dot(count, buffer, x);
    }
}
