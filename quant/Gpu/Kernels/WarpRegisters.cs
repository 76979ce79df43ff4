using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// What all tensor units of CUDA share, as inline text with registers and tiles that have names: the 64 sums acc0 to acc63 of a
/// thread, 4 for each of 16 tiles; the fragments fa0 to fa15 of 4 left tiles and fb0 to fb7 of 4 right ones; at, an address in
/// shared memory; taken, a sum on its way out. Named, because what inline text returns passes through local memory, and because an
/// instruction with four results cannot be written otherwise. The assembler makes registers of its own of them.
/// </summary>
internal static class WarpRegisters
{
    private const string Load = "add.u32 at, tilebase, %0; ldmatrix.sync.aligned.m8n8.x4.shared.b16 ";

    /// <summary>Declares the registers and zeroes the sums. The tiles must have been declared.</summary>
    public static void Begin()
    {
        CudaAsm.Emit(".reg .b32 tilebase, at, taken, acc<64>, fa<16>, fb<8>;");
        CudaAsm.Emit(".reg .f32 scaled;");
        CudaAsm.Emit("mov.u32 tilebase, tiles;");
        CudaAsm.Emit("mov.b32 acc0, 0; mov.b32 acc1, 0; mov.b32 acc2, 0; mov.b32 acc3, 0; mov.b32 acc4, 0; mov.b32 acc5, 0; mov.b32 acc6, 0; mov.b32 acc7, 0;");
        CudaAsm.Emit("mov.b32 acc8, 0; mov.b32 acc9, 0; mov.b32 acc10, 0; mov.b32 acc11, 0; mov.b32 acc12, 0; mov.b32 acc13, 0; mov.b32 acc14, 0; mov.b32 acc15, 0;");
        CudaAsm.Emit("mov.b32 acc16, 0; mov.b32 acc17, 0; mov.b32 acc18, 0; mov.b32 acc19, 0; mov.b32 acc20, 0; mov.b32 acc21, 0; mov.b32 acc22, 0; mov.b32 acc23, 0;");
        CudaAsm.Emit("mov.b32 acc24, 0; mov.b32 acc25, 0; mov.b32 acc26, 0; mov.b32 acc27, 0; mov.b32 acc28, 0; mov.b32 acc29, 0; mov.b32 acc30, 0; mov.b32 acc31, 0;");
        CudaAsm.Emit("mov.b32 acc32, 0; mov.b32 acc33, 0; mov.b32 acc34, 0; mov.b32 acc35, 0; mov.b32 acc36, 0; mov.b32 acc37, 0; mov.b32 acc38, 0; mov.b32 acc39, 0;");
        CudaAsm.Emit("mov.b32 acc40, 0; mov.b32 acc41, 0; mov.b32 acc42, 0; mov.b32 acc43, 0; mov.b32 acc44, 0; mov.b32 acc45, 0; mov.b32 acc46, 0; mov.b32 acc47, 0;");
        CudaAsm.Emit("mov.b32 acc48, 0; mov.b32 acc49, 0; mov.b32 acc50, 0; mov.b32 acc51, 0; mov.b32 acc52, 0; mov.b32 acc53, 0; mov.b32 acc54, 0; mov.b32 acc55, 0;");
        CudaAsm.Emit("mov.b32 acc56, 0; mov.b32 acc57, 0; mov.b32 acc58, 0; mov.b32 acc59, 0; mov.b32 acc60, 0; mov.b32 acc61, 0; mov.b32 acc62, 0; mov.b32 acc63, 0;");
    }

    public static void Copy(int place, long source, int bytes) =>
        CudaAsm.Emit("add.u32 at, tilebase, %0; cp.async.cg.shared.global [at], [%1], 16, %2;", place, source, bytes);

    public static void Commit() => CudaAsm.Emit("cp.async.commit_group;");

    public static void WaitForAllButLast() => CudaAsm.Emit("cp.async.wait_group 1;");

    public static void Put(int place, int a, int b, int c, int d) =>
        CudaAsm.Emit("add.u32 at, tilebase, %0; st.shared.v4.b32 [at], {%1, %2, %3, %4};", place, a, b, c, d);

    public static void LoadLeft(int tile, int place)
    {
        if (tile == 0) CudaAsm.Emit(Load + "{fa0, fa1, fa2, fa3}, [at+0];", place);
        else if (tile == 1) CudaAsm.Emit(Load + "{fa4, fa5, fa6, fa7}, [at+1024];", place);
        else if (tile == 2) CudaAsm.Emit(Load + "{fa8, fa9, fa10, fa11}, [at+2048];", place);
        else if (tile == 3) CudaAsm.Emit(Load + "{fa12, fa13, fa14, fa15}, [at+3072];", place);
    }

    public static void LoadRight(int pair, int place)
    {
        if (pair == 0) CudaAsm.Emit(Load + "{fb0, fb1, fb2, fb3}, [at+0];", place);
        else if (pair == 1) CudaAsm.Emit(Load + "{fb4, fb5, fb6, fb7}, [at+1024];", place);
    }

    /// <summary>A sum to the register taken. The number is a constant at every call, so one instruction is left of this.</summary>
    public static void Take(int sum)
    {
        if (sum == 0) CudaAsm.Emit("mov.b32 taken, acc0;");
        else if (sum == 1) CudaAsm.Emit("mov.b32 taken, acc1;");
        else if (sum == 2) CudaAsm.Emit("mov.b32 taken, acc2;");
        else if (sum == 3) CudaAsm.Emit("mov.b32 taken, acc3;");
        else if (sum == 4) CudaAsm.Emit("mov.b32 taken, acc4;");
        else if (sum == 5) CudaAsm.Emit("mov.b32 taken, acc5;");
        else if (sum == 6) CudaAsm.Emit("mov.b32 taken, acc6;");
        else if (sum == 7) CudaAsm.Emit("mov.b32 taken, acc7;");
        else if (sum == 8) CudaAsm.Emit("mov.b32 taken, acc8;");
        else if (sum == 9) CudaAsm.Emit("mov.b32 taken, acc9;");
        else if (sum == 10) CudaAsm.Emit("mov.b32 taken, acc10;");
        else if (sum == 11) CudaAsm.Emit("mov.b32 taken, acc11;");
        else if (sum == 12) CudaAsm.Emit("mov.b32 taken, acc12;");
        else if (sum == 13) CudaAsm.Emit("mov.b32 taken, acc13;");
        else if (sum == 14) CudaAsm.Emit("mov.b32 taken, acc14;");
        else if (sum == 15) CudaAsm.Emit("mov.b32 taken, acc15;");
        else if (sum == 16) CudaAsm.Emit("mov.b32 taken, acc16;");
        else if (sum == 17) CudaAsm.Emit("mov.b32 taken, acc17;");
        else if (sum == 18) CudaAsm.Emit("mov.b32 taken, acc18;");
        else if (sum == 19) CudaAsm.Emit("mov.b32 taken, acc19;");
        else if (sum == 20) CudaAsm.Emit("mov.b32 taken, acc20;");
        else if (sum == 21) CudaAsm.Emit("mov.b32 taken, acc21;");
        else if (sum == 22) CudaAsm.Emit("mov.b32 taken, acc22;");
        else if (sum == 23) CudaAsm.Emit("mov.b32 taken, acc23;");
        else if (sum == 24) CudaAsm.Emit("mov.b32 taken, acc24;");
        else if (sum == 25) CudaAsm.Emit("mov.b32 taken, acc25;");
        else if (sum == 26) CudaAsm.Emit("mov.b32 taken, acc26;");
        else if (sum == 27) CudaAsm.Emit("mov.b32 taken, acc27;");
        else if (sum == 28) CudaAsm.Emit("mov.b32 taken, acc28;");
        else if (sum == 29) CudaAsm.Emit("mov.b32 taken, acc29;");
        else if (sum == 30) CudaAsm.Emit("mov.b32 taken, acc30;");
        else if (sum == 31) CudaAsm.Emit("mov.b32 taken, acc31;");
        else if (sum == 32) CudaAsm.Emit("mov.b32 taken, acc32;");
        else if (sum == 33) CudaAsm.Emit("mov.b32 taken, acc33;");
        else if (sum == 34) CudaAsm.Emit("mov.b32 taken, acc34;");
        else if (sum == 35) CudaAsm.Emit("mov.b32 taken, acc35;");
        else if (sum == 36) CudaAsm.Emit("mov.b32 taken, acc36;");
        else if (sum == 37) CudaAsm.Emit("mov.b32 taken, acc37;");
        else if (sum == 38) CudaAsm.Emit("mov.b32 taken, acc38;");
        else if (sum == 39) CudaAsm.Emit("mov.b32 taken, acc39;");
        else if (sum == 40) CudaAsm.Emit("mov.b32 taken, acc40;");
        else if (sum == 41) CudaAsm.Emit("mov.b32 taken, acc41;");
        else if (sum == 42) CudaAsm.Emit("mov.b32 taken, acc42;");
        else if (sum == 43) CudaAsm.Emit("mov.b32 taken, acc43;");
        else if (sum == 44) CudaAsm.Emit("mov.b32 taken, acc44;");
        else if (sum == 45) CudaAsm.Emit("mov.b32 taken, acc45;");
        else if (sum == 46) CudaAsm.Emit("mov.b32 taken, acc46;");
        else if (sum == 47) CudaAsm.Emit("mov.b32 taken, acc47;");
        else if (sum == 48) CudaAsm.Emit("mov.b32 taken, acc48;");
        else if (sum == 49) CudaAsm.Emit("mov.b32 taken, acc49;");
        else if (sum == 50) CudaAsm.Emit("mov.b32 taken, acc50;");
        else if (sum == 51) CudaAsm.Emit("mov.b32 taken, acc51;");
        else if (sum == 52) CudaAsm.Emit("mov.b32 taken, acc52;");
        else if (sum == 53) CudaAsm.Emit("mov.b32 taken, acc53;");
        else if (sum == 54) CudaAsm.Emit("mov.b32 taken, acc54;");
        else if (sum == 55) CudaAsm.Emit("mov.b32 taken, acc55;");
        else if (sum == 56) CudaAsm.Emit("mov.b32 taken, acc56;");
        else if (sum == 57) CudaAsm.Emit("mov.b32 taken, acc57;");
        else if (sum == 58) CudaAsm.Emit("mov.b32 taken, acc58;");
        else if (sum == 59) CudaAsm.Emit("mov.b32 taken, acc59;");
        else if (sum == 60) CudaAsm.Emit("mov.b32 taken, acc60;");
        else if (sum == 61) CudaAsm.Emit("mov.b32 taken, acc61;");
        else if (sum == 62) CudaAsm.Emit("mov.b32 taken, acc62;");
        else if (sum == 63) CudaAsm.Emit("mov.b32 taken, acc63;");
    }
}
