using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Runtime;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Inspection;

/// <summary>What a device has in its tables, for tests.</summary>
internal static class DeviceTables
{
    /// <summary>A copy of the tables of a 4-bit code.</summary>
    public static (long[] Buckets, float[] Thresholds, float[] Values) TablesOf(this GpuSession session, Code4 code)
    {
        CodeTables tables = session.Bench.TablesOf(code);
        var buckets = new long[tables.Buckets.Length];
        float[] thresholds = new float[tables.Thresholds.Length], values = new float[tables.Values.Length];
        tables.Buckets.CopyToCPU(buckets);
        tables.Thresholds.CopyToCPU(thresholds);
        tables.Values.CopyToCPU(values);
        session.Bench.Accelerator.Synchronize();
        return (buckets, thresholds, values);
    }
}
