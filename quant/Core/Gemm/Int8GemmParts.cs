using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>Both parts of an int8 product, the outlier columns' and the integers', for all or some rows of the weight.</summary>
/// <param name="job">The integer part, for all rows.</param>
/// <param name="columns">The outlier columns, count of them.</param>
/// <param name="values">Their activations, [m, count].</param>
/// <param name="type">The compute type.</param>
/// <param name="vnni">Whether V256 and V512 use AVX-VNNI.</param>
internal readonly unsafe struct Int8GemmParts(
    Int8Job job, int* columns, float* values, int count, ElementType type, KernelPath path, bool vnni)
{
    /// <summary>Rows of the weight that both parts are computed for while they are in the second-level cache.</summary>
    private const int PanelRows = 256;

    private readonly Int8Job _job = job;
    private readonly int* _columns = columns;
    private readonly float* _values = values;

    public void Run()
    {
        if (_job.M == 0 || _job.N == 0) return;
        if (_job.M > 1 || count == 0)
        {
            Run(_job);
            return;
        }

        // With one row of x all the time goes into reading weights, and gathering columns reads nearly as much of them.
        Int8GemmParts parts = this;
        WorkSplit.Run(_job.Threads, (_job.N + PanelRows - 1) / PanelRows, panel =>
        {
            int first = panel * PanelRows;
            parts.Run(parts._job.Columns(first, Math.Min(PanelRows, parts._job.N - first)));
        });
    }

    private void Run(Int8Job part)
    {
        if (count > 0)
        {
            if (type == ElementType.BF16) Outliers<BF16Element>(part);
            else if (type == ElementType.F16) Outliers<F16Element>(part);
            else Outliers<F32Element>(part);
        }

        if (path == KernelPath.Reference) Reference(part);
        else if (path == KernelPath.V128) Int8GemmDriver.Run<Int8Tile128>(part);
        else if (vnni) Int8GemmDriver.Run<Int8TileVnni>(part);
        else if (path == KernelPath.V256) Int8GemmDriver.Run<Int8Tile256>(part);
        else Int8GemmDriver.Run<Int8Tile512>(part);
    }

    private void Outliers<TElement>(in Int8Job part)
        where TElement : struct, IElement
    {
        var product = new GemmJob(part.M, part.N, count, ElementType.F32, (byte*)_values, part.Y, part.Threads);
        var rows = new OutlierRows8<TElement>(new OutlierWeights8(part.W, part.ColumnScales, _columns, part.K));
        switch (path)
        {
            case KernelPath.V512:
                GemmDriver.Run<Tile512, OutlierRows8<TElement>>(product, rows);
                break;
            case KernelPath.V256:
                GemmDriver.Run<Tile256, OutlierRows8<TElement>>(product, rows);
                break;
            case KernelPath.V128:
                GemmDriver.Run<Tile128, OutlierRows8<TElement>>(product, rows);
                break;
            default:
                GemmDriver.Run<TileScalar, OutlierRows8<TElement>>(product, rows);
                break;
        }
    }

    /// <summary>The definition: one product at a time.</summary>
    private static void Reference(Int8Job part) => WorkSplit.Run(part.Threads, part.N, j =>
    {
        for (int i = 0; i < part.M; i++)
        {
            long sum = 0;
            for (int p = 0; p < part.K; p++) sum += part.X[(nint)i * part.K + p] * part.W[(nint)j * part.K + p];
            part.Finish(i, j, sum);
        }
    });
}
