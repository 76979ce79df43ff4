namespace Bnb.Quant.Gpu;

/// <summary>No kernels without ILGPU.</summary>
internal static class PtxListing
{
    public static IEnumerable<(string Name, string Ptx)> All() => [];
}
