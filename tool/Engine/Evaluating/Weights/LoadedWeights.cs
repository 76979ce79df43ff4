using Bnb.Engine.Evaluating.Families;

namespace Bnb.Engine.Evaluating.Weights;

/// <summary>The weights of one stage in memory. Arrays come from a pool and go back to it when the stage is done.</summary>
internal sealed class LoadedWeights : IDisposable
{
    private readonly Dictionary<WeightUse, float[]> _values = [];
    private readonly WeightPool _pool;

    private LoadedWeights(WeightPool pool) => _pool = pool;

    /// <summary>Reads weights; those a checkpoint may lack are left out beforehand.</summary>
    public static LoadedWeights Load(IEnumerable<WeightUse> uses, WeightStore store, WeightPool pool, CancellationToken cancellation)
    {
        var loaded = new LoadedWeights(pool);
        try
        {
            foreach (WeightUse use in uses)
            {
                cancellation.ThrowIfCancellationRequested();
                if (loaded._values.ContainsKey(use)) continue;
                float[] values = pool.Rent(checked((int)use.Count));
                loaded._values.Add(use, values);
                store.Load(use, values);
            }

            return loaded;
        }
        catch
        {
            loaded.Dispose();
            throw;
        }
    }

    /// <summary>The values of a weight that was loaded.</summary>
    public float[] this[WeightUse use] => _values[use];

    /// <summary>The values, or null for a weight that the checkpoint does not have.</summary>
    public float[]? Find(WeightUse? use) => use is null ? null : _values.GetValueOrDefault(use);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (float[] values in _values.Values) _pool.Return(values);
        _values.Clear();
    }
}
