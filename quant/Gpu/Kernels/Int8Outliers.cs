using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>What the end of an LLM.int8() product needs, see <see cref="Int8GemmKernel"/>.</summary>
internal struct Int8Outliers
{
    public ArrayView<byte> Codes;
    public ArrayView<int> Columns;
    public ArrayView<float> Values;
    public ArrayView<float> Scales;
    public ArrayView<float> Absmax;
    public ArrayView<float> Y;
    public ProductShape Shape;
}
