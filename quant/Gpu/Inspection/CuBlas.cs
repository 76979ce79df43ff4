using System.Runtime.InteropServices;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Numerics;
using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu.Inspection;

/// <summary>The vendor's dense product, as a yardstick in benchmarks. Loaded when it is there; nothing depends on it.</summary>
internal sealed unsafe class CuBlas : IDisposable
{
    private const int F16 = 2, BF16 = 14, F32 = 0, Transposed = 1, AsStored = 0, ComputeF32 = 68, DefaultAlgorithm = -1;

    private static readonly string[] Names = ["libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "cublas64_12", "cublas64_11"];

    private readonly CudaAccelerator _accelerator;
    private readonly nint _library;
    private readonly nint _handle;
    private readonly delegate* unmanaged<nint, int, int, int, int, int, void*, nint, int, int, nint, int, int, void*, nint, int, int, int, int, int> _multiply;

    private CuBlas(CudaAccelerator accelerator, nint library)
    {
        _accelerator = accelerator;
        _library = library;
        nint handle = 0;
        accelerator.Bind();
        var create = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(library, "cublasCreate_v2");
        Check(create(&handle));
        _handle = handle;
        var setStream = (delegate* unmanaged<nint, nint, int>)NativeLibrary.GetExport(library, "cublasSetStream_v2");
        Check(setStream(handle, ((CudaStream)accelerator.DefaultStream).StreamPtr));
        _multiply = (delegate* unmanaged<nint, int, int, int, int, int, void*, nint, int, int, nint, int, int, void*, nint, int, int, int, int, int>)
            NativeLibrary.GetExport(library, "cublasGemmEx");
    }

    /// <summary>The library on this accelerator, null when it is not installed.</summary>
    public static CuBlas? Open(CudaAccelerator accelerator)
    {
        foreach (string name in Names)
        {
            if (NativeLibrary.TryLoad(name, out nint library)) return new CuBlas(accelerator, library);
        }

        return null;
    }

    /// <summary>y[m, n] = x[m, k] * w[n, k] transposed, float32 sums, all three of the type. Column-major to cuBLAS, so the
    /// operands change places.</summary>
    public void Multiply(int m, int n, int k, ElementType type, nint x, nint w, nint y)
    {
        int format = type switch { ElementType.F16 => F16, ElementType.BF16 => BF16, _ => F32 };
        float one = 1f, zero = 0f;
        _accelerator.Bind();
        Check(_multiply(
            _handle, Transposed, AsStored, n, m, k, &one, w, format, k, x, format, k, &zero, y, format, n, ComputeF32, DefaultAlgorithm));
    }

    public void Dispose()
    {
        var destroy = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(_library, "cublasDestroy_v2");
        _ = destroy(_handle);
        NativeLibrary.Free(_library);
    }

    private static void Check(int status)
    {
        if (status != 0) throw new GpuException($"cuBLAS: status {status}");
    }
}
