namespace Bnb.Engine.Evaluating.Weights;

/// <summary>Arrays by exact length: layers ask for the same sizes again and again, and fresh memory has to be zeroed and mapped.</summary>
internal sealed class WeightPool
{
    private readonly Dictionary<int, Stack<float[]>> _free = [];
    private readonly Lock _lock = new();

    /// <summary>An array of this length with anything in it.</summary>
    public float[] Rent(int length)
    {
        lock (_lock)
        {
            if (_free.TryGetValue(length, out Stack<float[]>? free) && free.TryPop(out float[]? values)) return values;
        }

        return GC.AllocateUninitializedArray<float>(length);
    }

    /// <summary>Takes an array back.</summary>
    public void Return(float[] values)
    {
        lock (_lock)
        {
            if (!_free.TryGetValue(values.Length, out Stack<float[]>? free)) _free[values.Length] = free = new Stack<float[]>();
            free.Push(values);
        }
    }
}
