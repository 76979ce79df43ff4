using System.Reflection;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Gpu.Runtime;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu.Inspection;

/// <summary>The PTX of every kernel, made without a device, so that what matters in it can be checked anywhere.</summary>
internal static class PtxListing
{
    private static readonly Type[] Stored = [typeof(StoredF32), typeof(StoredF16), typeof(StoredBF16)];
    private static readonly Type[] Codes = [typeof(RankedNf4), typeof(RankedFp4)];
    private static readonly Type[] Rows = [typeof(Weights4), typeof(Weights8), typeof(WeightsFp8)];
    private static readonly Type[] Weights = [.. Rows, typeof(WeightsGroups4<StoredF16>), typeof(WeightsGroups4<StoredBF16>), typeof(WeightsGroups4<StoredF32>)];

    /// <summary>Name and text, for compute capability 8.0, which is what ILGPU uses for everything newer.</summary>
    public static IEnumerable<(string Name, string Ptx)> All()
    {
        using Context context = Context.Create(builder => DriverDevices.Translate(builder).CPU());
        using var backend = new PTXBackend(context, CudaArchitecture.SM_80, CudaInstructionSet.ISA_75, nvvmAPI: null!);
        foreach ((Type kernel, Type[] arguments) in Kernels())
        {
            MethodInfo method = KernelCache.MethodOf(kernel, arguments);
            var compiled = (PTXCompiledKernel)backend.Compile(
                EntryPointDescription.FromExplicitlyGroupedKernel(method), new KernelSpecialization());
            yield return ($"{kernel.Name}<{string.Join(",", arguments.Select(NameOf))}>", compiled.PTXAssembly);
        }
    }

    private static IEnumerable<(Type Kernel, Type[] Arguments)> Kernels()
    {
        foreach (Type stored in Stored)
        {
            foreach (Type code in Codes) yield return (typeof(Quantize4Kernel), [stored, code, typeof(ShuffleMax)]);
            yield return (typeof(Dequantize4Kernel), [stored]);
            yield return (typeof(QuantizeRows8Kernel), [stored]);
            yield return (typeof(DequantizeRows8Kernel), [stored]);
            yield return (typeof(QuantizeFp8RowsKernel), [stored]);
            yield return (typeof(QuantizeGroups4Kernel), [stored, typeof(ShuffleMax)]);
            yield return (typeof(OutlierColumnsKernel), [stored]);
            yield return (typeof(SearchValuesKernel), [stored]);
            foreach (Type scale in Stored) yield return (typeof(DequantizeGroups4Kernel), [scale, stored]);
            // Rows of INT4 are whole groups, which the wide kernel takes.
            foreach (Type weights in Rows) yield return (typeof(GemvKernel), [stored, weights]);
            if (stored == typeof(StoredF32)) yield return (typeof(TiledGemmKernel), [stored, typeof(WeightsF32)]);
            foreach (Type weights in Weights)
            {
                yield return (typeof(TiledGemmKernel), [stored, weights]);
                yield return (typeof(GemvWideKernel), [stored, weights]);
            }
        }

        foreach (Type weights in Weights)
        {
            yield return (typeof(TensorGemmKernel), [typeof(MmaBF16), weights]);
            yield return (typeof(TensorGemmKernel), [typeof(MmaF16), weights]);
        }

        foreach (Type scales in (Type[])[typeof(SearchedShort<EightBits>), typeof(SearchedNested)])
        {
            foreach (Type code in Codes) yield return (typeof(SearchKernel), [typeof(SearchedCode<>).MakeGenericType(code), scales]);
        }

        foreach (Type scales in (Type[])[typeof(SearchedShort<EightBitsOfInt4>), typeof(SearchedHalf<StoredF16>), typeof(SearchedHalf<StoredBF16>)])
        {
            yield return (typeof(SearchKernel), [typeof(SearchedInt4), scales]);
        }

        yield return (typeof(SearchKernel), [typeof(SearchedInt8), typeof(SearchedShort<TenBits>)]);
        yield return (typeof(SearchWeightsKernel), []);
        yield return (typeof(Int8GemmKernel), [typeof(Dp4a)]);
        yield return (typeof(Int8TensorKernel), [typeof(MmaS8)]);
        yield return (typeof(Quantize8Kernel), []);
        yield return (typeof(Dequantize8Kernel), []);
        yield return (typeof(AbsmaxBinsKernel), []);
        yield return (typeof(ExactMeanKernel), []);
        yield return (typeof(NormalFloatKernel), []);
        yield return (typeof(BucketKernel), []);
    }

    private static string NameOf(Type type) => type.IsGenericType
        ? $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}Of{type.GenericTypeArguments[0].Name}"
        : type.Name;
}
