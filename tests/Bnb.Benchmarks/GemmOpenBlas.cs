using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Benchmarks;

/// <summary>OpenBLAS where the system has it (Debian: libopenblas0-pthread), as something to measure against.</summary>
internal static unsafe partial class OpenBlas
{
    private const string Library = "libopenblas.so.0";

    // The very library that OpenBLAS asks for its variables; plain "libc" may find another one.
    private const string CLibrary = "libc.so.6";

    public static bool IsAvailable { get; } = Load();

    /// <summary>Version, kernels and threading as the library says it, or that there is none.</summary>
    public static string Description { get; } = IsAvailable
        ? Marshal.PtrToStringUTF8(Configuration())!.Trim() + ", kernels " + Marshal.PtrToStringUTF8(CoreName())
        : "not installed, so its columns are empty";

    /// <summary>y = x w^T; nothing when the library is not there.</summary>
    public static void Sgemm(int m, int n, int k, float[] x, float[] w, float[] y, int threads)
    {
        if (!IsAvailable) return;
        const int RowMajor = 101, NoTranspose = 111, Transpose = 112;
        SetThreads(threads);
        fixed (float* xs = x, ws = w, ys = y)
        {
            Multiply(RowMajor, NoTranspose, Transpose, m, n, k, 1, xs, k, ws, k, 0, ys, n);
        }
    }

    private static bool Load()
    {
        if (!OperatingSystem.IsLinux() || !NativeLibrary.TryLoad(CLibrary, out _)) return false;
        // Its threads would spin for milliseconds after a call and slow down whoever is measured next. And a version older than
        // the processor, or settings of the environment, may choose kernels for 256-bit vectors: no fair opponent.
        _ = SetVariable("OPENBLAS_THREAD_TIMEOUT", "4", 1);
        _ = RemoveVariable("OPENBLAS_L2_SIZE");
        if (Avx512F.IsSupported) _ = SetVariable("OPENBLAS_CORETYPE", "SKYLAKEX", 1);
        return NativeLibrary.TryLoad(Library, out _);
    }

    [LibraryImport(CLibrary, EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport(CLibrary, EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RemoveVariable(string name);

    [LibraryImport(Library, EntryPoint = "openblas_set_num_threads")]
    private static partial void SetThreads(int count);

    [LibraryImport(Library, EntryPoint = "openblas_get_config")]
    private static partial nint Configuration();

    [LibraryImport(Library, EntryPoint = "openblas_get_corename")]
    private static partial nint CoreName();

    [LibraryImport(Library, EntryPoint = "cblas_sgemm")]
    private static partial void Multiply(
        int order, int transposeA, int transposeB, int m, int n, int k, float alpha, float* a, int lda, float* b, int ldb,
        float beta, float* c, int ldc);
}
