using ILGPU;
using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Tensor cores with binary16 operands. See <see cref="WarpRegisters"/>.</summary>
internal readonly struct MmaF16 : IMmaFloat
{
    private const string Operation = "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 ";

    public static ArrayView<int> Begin(ArrayView<int> own)
    {
        CudaAsm.Emit(".shared .align 16 .b8 tiles[40960];");
        WarpRegisters.Begin();
        return own;
    }

    public static void Copy(ArrayView<int> own, int place, ArrayView<Quad> source, long address, long index, int bytes) =>
        WarpRegisters.Copy(place, address + 16 * index, bytes);

    public static void Commit(ArrayView<int> own) => WarpRegisters.Commit();

    public static void WaitForAllButLast(ArrayView<int> tiles, ArrayView<int> own) => WarpRegisters.WaitForAllButLast();

    public static void Put(ArrayView<int> tiles, int place, int a, int b, int c, int d) => WarpRegisters.Put(place, a, b, c, d);

    public static void LoadLeft(ArrayView<int> tiles, ArrayView<int> own, int tile, int place) => WarpRegisters.LoadLeft(tile, place);

    public static void LoadRight(ArrayView<int> tiles, ArrayView<int> own, int pair, int place) => WarpRegisters.LoadRight(pair, place);

    public static void Multiply(ArrayView<int> own, int tile)
    {
        if (tile == 0) CudaAsm.Emit(Operation + "{acc0, acc1, acc2, acc3}, {fa0, fa1, fa2, fa3}, {fb0, fb1}, {acc0, acc1, acc2, acc3};");
        else if (tile == 1) CudaAsm.Emit(Operation + "{acc4, acc5, acc6, acc7}, {fa0, fa1, fa2, fa3}, {fb2, fb3}, {acc4, acc5, acc6, acc7};");
        else if (tile == 2) CudaAsm.Emit(Operation + "{acc8, acc9, acc10, acc11}, {fa0, fa1, fa2, fa3}, {fb4, fb5}, {acc8, acc9, acc10, acc11};");
        else if (tile == 3) CudaAsm.Emit(Operation + "{acc12, acc13, acc14, acc15}, {fa0, fa1, fa2, fa3}, {fb6, fb7}, {acc12, acc13, acc14, acc15};");
        else if (tile == 4) CudaAsm.Emit(Operation + "{acc16, acc17, acc18, acc19}, {fa4, fa5, fa6, fa7}, {fb0, fb1}, {acc16, acc17, acc18, acc19};");
        else if (tile == 5) CudaAsm.Emit(Operation + "{acc20, acc21, acc22, acc23}, {fa4, fa5, fa6, fa7}, {fb2, fb3}, {acc20, acc21, acc22, acc23};");
        else if (tile == 6) CudaAsm.Emit(Operation + "{acc24, acc25, acc26, acc27}, {fa4, fa5, fa6, fa7}, {fb4, fb5}, {acc24, acc25, acc26, acc27};");
        else if (tile == 7) CudaAsm.Emit(Operation + "{acc28, acc29, acc30, acc31}, {fa4, fa5, fa6, fa7}, {fb6, fb7}, {acc28, acc29, acc30, acc31};");
        else if (tile == 8) CudaAsm.Emit(Operation + "{acc32, acc33, acc34, acc35}, {fa8, fa9, fa10, fa11}, {fb0, fb1}, {acc32, acc33, acc34, acc35};");
        else if (tile == 9) CudaAsm.Emit(Operation + "{acc36, acc37, acc38, acc39}, {fa8, fa9, fa10, fa11}, {fb2, fb3}, {acc36, acc37, acc38, acc39};");
        else if (tile == 10) CudaAsm.Emit(Operation + "{acc40, acc41, acc42, acc43}, {fa8, fa9, fa10, fa11}, {fb4, fb5}, {acc40, acc41, acc42, acc43};");
        else if (tile == 11) CudaAsm.Emit(Operation + "{acc44, acc45, acc46, acc47}, {fa8, fa9, fa10, fa11}, {fb6, fb7}, {acc44, acc45, acc46, acc47};");
        else if (tile == 12) CudaAsm.Emit(Operation + "{acc48, acc49, acc50, acc51}, {fa12, fa13, fa14, fa15}, {fb0, fb1}, {acc48, acc49, acc50, acc51};");
        else if (tile == 13) CudaAsm.Emit(Operation + "{acc52, acc53, acc54, acc55}, {fa12, fa13, fa14, fa15}, {fb2, fb3}, {acc52, acc53, acc54, acc55};");
        else if (tile == 14) CudaAsm.Emit(Operation + "{acc56, acc57, acc58, acc59}, {fa12, fa13, fa14, fa15}, {fb4, fb5}, {acc56, acc57, acc58, acc59};");
        else if (tile == 15) CudaAsm.Emit(Operation + "{acc60, acc61, acc62, acc63}, {fa12, fa13, fa14, fa15}, {fb6, fb7}, {acc60, acc61, acc62, acc63};");
    }

    // Not cvt.rn: its result would pass through local memory, as everything does that inline text returns.
    public static int Round(float low, float high) => StoredF16.ToBits(low) | (StoredF16.ToBits(high) << 16);

    public static void Store(ArrayView<int> own, int tile, int part, ArrayView<float> y, long address, long at)
    {
        WarpRegisters.Take(tile * 4 + part);
        CudaAsm.Emit("st.global.b32 [%0], taken;", address + 4 * at);
    }
}
