using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>
/// The x of many products with <see cref="Sgemm"/>, rearranged once. A product with few rows of w spends a good part of its time
/// on that.
/// </summary>
public sealed unsafe class SgemmInput
{
    private const int Alignment = 64;

    private readonly float[] _packed;

    /// <summary>Rearranges x for one path. Holds x too, and as much again.</summary>
    /// <param name="m">Rows of x; 0 is allowed, here and below.</param>
    /// <param name="k">Columns of x.</param>
    /// <param name="x">[m, k], row-major; not to be changed afterwards.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">The length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is negative.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public SgemmInput(int m, int k, float[] x, KernelPath path)
    {
        ArgumentNullException.ThrowIfNull(x);
        GemmShape.Check(m, 0, k, x.Length, 0, 0);
        KernelPaths.Require(path);
        (Rows, Columns, Values, Path) = (m, k, x, path);
        long floats = path switch
        {
            KernelPath.V512 => GemmDriver.PackedFloats<Tile512>(m, k),
            KernelPath.V256 => GemmDriver.PackedFloats<Tile256>(m, k),
            KernelPath.V128 => GemmDriver.PackedFloats<Tile128>(m, k),
            _ => GemmDriver.PackedFloats<TileScalar>(m, k),
        };
        _packed = GC.AllocateUninitializedArray<float>(checked((int)floats + (Alignment / sizeof(float))), pinned: true);
        fixed (float* values = x)
        {
            var job = new GemmJob(m, 0, k, ElementType.F32, (byte*)values, null, 1);
            switch (path)
            {
                case KernelPath.V512:
                    GemmDriver.PackAll<Tile512>(job, Packed);
                    break;
                case KernelPath.V256:
                    GemmDriver.PackAll<Tile256>(job, Packed);
                    break;
                case KernelPath.V128:
                    GemmDriver.PackAll<Tile128>(job, Packed);
                    break;
                default:
                    GemmDriver.PackAll<TileScalar>(job, Packed);
                    break;
            }
        }
    }

    /// <summary>Rows of x.</summary>
    public int Rows { get; }

    /// <summary>Columns of x.</summary>
    public int Columns { get; }

    /// <summary>x itself.</summary>
    public float[] Values { get; }

    /// <summary>The implementation that it is rearranged for.</summary>
    public KernelPath Path { get; }

    /// <summary>The rearranged copy: pinned, and aligned to a cache line.</summary>
    internal float* Packed
    {
        get
        {
            nint start = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_packed));
            return (float*)((start + Alignment - 1) & ~(nint)(Alignment - 1));
        }
    }
}
