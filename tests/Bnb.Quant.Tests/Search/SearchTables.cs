using System.Runtime.Intrinsics;
using Bnb.Quant.Backends;
using Bnb.Quant.Search;

namespace Bnb.Quant.Tests.Search;

/// <summary>Every look-up of a search table against its definition.</summary>
internal static class SearchTables
{
    public static void AssertAgree<TTable>(IReadOnlyList<float> centres)
        where TTable : struct, ISearchTable
    {
        var values = new List<float>();
        foreach (float centre in centres)
        {
            for (int steps = -40; steps <= 40; steps++) values.Add(BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(centre) + steps));
        }

        for (int i = -4000; i <= 4000; i++) values.Add(i * TTable.Top / 2900);
        values.AddRange([0f, -0f, float.Epsilon, -float.Epsilon, 1e30f, -1e30f]);
        while (values.Count % 16 != 0) values.Add(0);
        float[] y = [.. values];
        Span<float> found = stackalloc float[16];
        for (int i = 0; i < y.Length; i += 16)
        {
            foreach (KernelPath path in Kernels.FastPaths)
            {
                ScaleFinders.Decode<TTable>(path, y.AsSpan(i, 16), 1f, found);
                for (int lane = 0; lane < 16; lane++)
                {
                    byte code = TTable.Encode(y[i + lane]);
                    Assert.Equal(TTable.ValueOf(code), found[lane]);
                    Assert.Equal(code, TTable.CodeOf(found[lane]));
                }
            }
        }

        Assert.True(Vector128.IsHardwareAccelerated);
    }
}
