using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Gemm;

public sealed unsafe partial class Int8Activations
{
    /// <summary>Quantizes one row at a time. The vectors are portable; per value, they and the tails do the same operations.</summary>
    private sealed class RowQuantizer(
        int k, ElementType type, byte* source, float limit, sbyte* codes, float* absmax, bool* isOutlier)
    {
        public void Run(int row)
        {
            // Up to two more vectors, so that a tail can be treated as a vector of zeros.
            int padded = (k + 15) / 16 * 16;
            float* values = (float*)NativeMemory.AlignedAlloc((nuint)Math.Max(padded, 16) * sizeof(float), 64);
            try
            {
                var span = new Span<float>(values, k);
                int size = type.Size();
                var stored = new ReadOnlySpan<byte>(source + (nint)row * k * size, k * size);
                Widen.ToSingle(type, stored, span);
                if (type != ElementType.F16) RoundToHalf(values, k);
                new Span<float>(values + k, padded - k).Clear();
                absmax[row] = Absmax(values, padded);
                Quantize(values, absmax[row], codes + (nint)row * k);
            }
            finally
            {
                NativeMemory.AlignedFree(values);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void RoundToHalf(float* values, int count)
        {
            int i = 0;
            for (; i <= count - 8; i += 8) F16Element.FromBits(F16Element.ToBits(Vector256.Load(values + i))).Store(values + i);
            for (; i < count; i++) values[i] = F16Element.FromBits(F16Element.ToBits(values[i]));
        }

        /// <summary>The largest magnitude up to the limit; notes the columns of those above.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private float Absmax(float* values, int count)
        {
            Vector256<float> largest = default, bound = Vector256.Create(limit);
            for (int i = 0; i < count; i += 8)
            {
                Vector256<float> magnitude = Vector256.Abs(Vector256.Load(values + i));
                // Both comparisons are false for a NaN.
                Vector256<float> isBelow = Vector256.LessThanOrEqual(magnitude, bound);
                largest = Vector256.Max(largest, magnitude & isBelow);
                if (Vector256.GreaterThanAny(magnitude, bound)) Note(values, i);
            }

            float result = 0;
            for (int lane = 0; lane < 8; lane++) result = Math.Max(result, largest[lane]);
            return result;
        }

        private void Note(float* values, int first)
        {
            // A padding zero is an outlier where the limit lies below zero. Threads may write a flag at once, the same value.
            for (int i = first; i < Math.Min(first + 8, k); i++)
            {
                if (Math.Abs(values[i]) > limit) isOutlier[i] = true;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Quantize(float* values, float largest, sbyte* target)
        {
            // As torch computes 127 / absmax: its division of a number by a tensor multiplies by reciprocals.
            Vector256<float> scale = Vector256.Create(1f / largest * 127f), bound = Vector256.Create(limit);
            sbyte* tail = stackalloc sbyte[16];
            int i = 0;
            for (; i <= k - 16; i += 16) Codes16(values + i, scale, bound).Store(target + i);
            if (i == k) return;
            Codes16(values + i, scale, bound).Store(tail);
            new ReadOnlySpan<sbyte>(tail, k - i).CopyTo(new Span<sbyte>(target + i, k - i));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector128<sbyte> Codes16(float* values, Vector256<float> scale, Vector256<float> bound)
        {
            Vector256<short> codes = Vector256.Narrow(Codes8(values, scale, bound), Codes8(values + 8, scale, bound));
            return Vector128.Narrow(codes.GetLower(), codes.GetUpper());
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector256<int> Codes8(float* values, Vector256<float> scale, Vector256<float> bound)
        {
            Vector256<float> value = Vector256.Load(values), product = value * scale;
            // 0 for outliers and NaN, also for 0 * (1 / 0) and infinity * (1 / infinity); the others are within 127.
            Vector256<float> counts = Vector256.LessThanOrEqual(Vector256.Abs(value), bound) & Vector256.Equals(product, product);
            return Vector256.ConvertToInt32Native(Vector256.Round(product & counts));
        }
    }
}
