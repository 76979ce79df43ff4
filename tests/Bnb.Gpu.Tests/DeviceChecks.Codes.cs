using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Gpu.Runtime;

namespace Bnb.Gpu.Tests;

// The tables of codes.
internal static partial class DeviceChecks
{
    public static void NormalFloat_EveryWidth_HasTheBitsOfTheCpu(GpuSession session)
    {
        for (int bits = NormalFloat.FewestBits; bits <= NormalFloat.MostBits; bits++)
        {
            AssertSame(Bytes(NormalFloat.Values(bits)), Bytes(session.NormalFloatValues(bits)), $"{bits} bits");
        }
    }

    public static void SelfCheck_OfADeviceThatIsRight_RefusesNothing(GpuSession session) =>
        SelfCheck.Run(session, session.Device.IsSimulator ? 256 : 4096);

    public static void CodeTables_OfTheDevice_AreTheCpus(GpuSession session)
    {
        foreach (Code4 code in Code4Catalog.All)
        {
            var (buckets, thresholds, values) = session.TablesOf(code);
            AssertSame(Bytes(code.Values.ToArray()), Bytes(values), $"{code} values");
            AssertSame(Bytes(GpuCode.Of(code).Thresholds), Bytes(thresholds), $"{code} thresholds");
            // The bucket of number 16 is in no table looked at.
            Assert.Equal(GpuCode.Of(code).Buckets.Where((_, place) => place != 16), buckets.Where((_, place) => place != 16));
        }
    }
}
