using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Planning;

/// <summary>
/// Quantizes a tensor in memory, decodes it and adds up the squared error, piece by piece.
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
            var buffers = new WorkerBuffers(count * 8, form.Transpose ? count * 8 : 0, 0, 0)
            {
                Input = plan.Input?.Buffers is { } shape ? WorkerBuffers.ForInput(shape, count) : null,
            };
            ReadOnlySpan<byte> stored = source.ReadValues(plan, first, count, buffers, null);
            float[] values = new float[count], decoded = new float[count];
            Widen.ToSingle(form.ElementType, stored, values);
            RoundTrip.Of(form, stored, first, decoded, path);
            for (int i = 0; i < count; i++)
            {
                double weight = form.Importance?[(int)((first + i) % columns)] ?? 1, rest = values[i] - decoded[i];
                error += weight * rest * rest;
                energy += weight * values[i] * values[i];
            }
        }

        return energy > 0 ? error / energy : 0;
    }
}
