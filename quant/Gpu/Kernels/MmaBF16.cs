using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Tensor cores with bfloat16 operands. Inline text, because an instruction with four results cannot be written otherwise: the
/// sums have names of their own, see <see cref="MmaRegisters"/>. The tile is a constant at every call.</summary>
internal readonly struct MmaBF16 : IMmaUnit
{
    private const string Operation = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 ";

    public static void Clear(ArrayView<float> own) => MmaRegisters.Clear();

    // Not cvt.rn: its result would pass through local memory, as everything does that inline text returns.
    public static int Round(float low, float high) => StoredBF16.ToBits(low) | (StoredBF16.ToBits(high) << 16);

    public static void Multiply(ArrayView<float> own, int tile, int a0, int a1, int a2, int a3, int b0, int b1)
    {
        if (tile == 0)
        {
            CudaAsm.Emit(
                Operation + "{acc0, acc1, acc2, acc3}, {%0, %1, %2, %3}, {%4, %5}, {acc0, acc1, acc2, acc3};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 1)
        {
            CudaAsm.Emit(
                Operation + "{acc4, acc5, acc6, acc7}, {%0, %1, %2, %3}, {%4, %5}, {acc4, acc5, acc6, acc7};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 2)
        {
            CudaAsm.Emit(
                Operation + "{acc8, acc9, acc10, acc11}, {%0, %1, %2, %3}, {%4, %5}, {acc8, acc9, acc10, acc11};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 3)
        {
            CudaAsm.Emit(
                Operation + "{acc12, acc13, acc14, acc15}, {%0, %1, %2, %3}, {%4, %5}, {acc12, acc13, acc14, acc15};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 4)
        {
            CudaAsm.Emit(
                Operation + "{acc16, acc17, acc18, acc19}, {%0, %1, %2, %3}, {%4, %5}, {acc16, acc17, acc18, acc19};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 5)
        {
            CudaAsm.Emit(
                Operation + "{acc20, acc21, acc22, acc23}, {%0, %1, %2, %3}, {%4, %5}, {acc20, acc21, acc22, acc23};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 6)
        {
            CudaAsm.Emit(
                Operation + "{acc24, acc25, acc26, acc27}, {%0, %1, %2, %3}, {%4, %5}, {acc24, acc25, acc26, acc27};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 7)
        {
            CudaAsm.Emit(
                Operation + "{acc28, acc29, acc30, acc31}, {%0, %1, %2, %3}, {%4, %5}, {acc28, acc29, acc30, acc31};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 8)
        {
            CudaAsm.Emit(
                Operation + "{acc32, acc33, acc34, acc35}, {%0, %1, %2, %3}, {%4, %5}, {acc32, acc33, acc34, acc35};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 9)
        {
            CudaAsm.Emit(
                Operation + "{acc36, acc37, acc38, acc39}, {%0, %1, %2, %3}, {%4, %5}, {acc36, acc37, acc38, acc39};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 10)
        {
            CudaAsm.Emit(
                Operation + "{acc40, acc41, acc42, acc43}, {%0, %1, %2, %3}, {%4, %5}, {acc40, acc41, acc42, acc43};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 11)
        {
            CudaAsm.Emit(
                Operation + "{acc44, acc45, acc46, acc47}, {%0, %1, %2, %3}, {%4, %5}, {acc44, acc45, acc46, acc47};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 12)
        {
            CudaAsm.Emit(
                Operation + "{acc48, acc49, acc50, acc51}, {%0, %1, %2, %3}, {%4, %5}, {acc48, acc49, acc50, acc51};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 13)
        {
            CudaAsm.Emit(
                Operation + "{acc52, acc53, acc54, acc55}, {%0, %1, %2, %3}, {%4, %5}, {acc52, acc53, acc54, acc55};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 14)
        {
            CudaAsm.Emit(
                Operation + "{acc56, acc57, acc58, acc59}, {%0, %1, %2, %3}, {%4, %5}, {acc56, acc57, acc58, acc59};",
                a0, a1, a2, a3, b0, b1);
        }
        else if (tile == 15)
        {
            CudaAsm.Emit(
                Operation + "{acc60, acc61, acc62, acc63}, {%0, %1, %2, %3}, {%4, %5}, {acc60, acc61, acc62, acc63};",
                a0, a1, a2, a3, b0, b1);
        }
    }

    public static void Store(ArrayView<float> own, int tile, int part, ArrayView<float> y, long address, long at) =>
        MmaRegisters.Store(tile * 4 + part, address + 4 * at);
}
