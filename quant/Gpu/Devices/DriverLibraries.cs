using System.Runtime.InteropServices;
using ILGPU;

namespace Bnb.Quant.Gpu.Devices;

/// <summary>ILGPU imports "OpenCL" and "cuda"; distributions ship the versioned names only, and then no device is found and
/// nothing said. This tries those names, too.</summary>
internal static class DriverLibraries
{
    private static int _resolved;

    /// <summary>Sets the resolver, once per process.</summary>
    public static void Resolve()
    {
        if (Interlocked.Exchange(ref _resolved, 1) != 0) return;
        NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, (name, assembly, path) =>
        {
            foreach (string candidate in Names(name))
            {
                if (NativeLibrary.TryLoad(candidate, assembly, path, out nint library)) return library;
            }

            return 0;
        });
    }

    private static string[] Names(string name) => name switch
    {
        "OpenCL" => ["OpenCL", "libOpenCL.so.1"],
        "cuda" or "nvcuda" => [name, "libcuda.so.1"],
        _ => [name],
    };
}
