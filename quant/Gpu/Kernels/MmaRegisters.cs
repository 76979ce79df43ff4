using ILGPU.Runtime.Cuda;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>The 64 sums of a thread as PTX registers acc0 to acc63, 4 for each of the 16 tiles.</summary>
internal static class MmaRegisters
{
    /// <summary>Declares and zeroes them. Once per kernel, outside every loop.</summary>
    public static void Clear()
    {
        CudaAsm.Emit(".reg .f32 acc<64>;");
        CudaAsm.Emit("mov.f32 acc0, 0f00000000; mov.f32 acc1, 0f00000000; mov.f32 acc2, 0f00000000; mov.f32 acc3, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc4, 0f00000000; mov.f32 acc5, 0f00000000; mov.f32 acc6, 0f00000000; mov.f32 acc7, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc8, 0f00000000; mov.f32 acc9, 0f00000000; mov.f32 acc10, 0f00000000; mov.f32 acc11, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc12, 0f00000000; mov.f32 acc13, 0f00000000; mov.f32 acc14, 0f00000000; mov.f32 acc15, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc16, 0f00000000; mov.f32 acc17, 0f00000000; mov.f32 acc18, 0f00000000; mov.f32 acc19, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc20, 0f00000000; mov.f32 acc21, 0f00000000; mov.f32 acc22, 0f00000000; mov.f32 acc23, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc24, 0f00000000; mov.f32 acc25, 0f00000000; mov.f32 acc26, 0f00000000; mov.f32 acc27, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc28, 0f00000000; mov.f32 acc29, 0f00000000; mov.f32 acc30, 0f00000000; mov.f32 acc31, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc32, 0f00000000; mov.f32 acc33, 0f00000000; mov.f32 acc34, 0f00000000; mov.f32 acc35, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc36, 0f00000000; mov.f32 acc37, 0f00000000; mov.f32 acc38, 0f00000000; mov.f32 acc39, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc40, 0f00000000; mov.f32 acc41, 0f00000000; mov.f32 acc42, 0f00000000; mov.f32 acc43, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc44, 0f00000000; mov.f32 acc45, 0f00000000; mov.f32 acc46, 0f00000000; mov.f32 acc47, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc48, 0f00000000; mov.f32 acc49, 0f00000000; mov.f32 acc50, 0f00000000; mov.f32 acc51, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc52, 0f00000000; mov.f32 acc53, 0f00000000; mov.f32 acc54, 0f00000000; mov.f32 acc55, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc56, 0f00000000; mov.f32 acc57, 0f00000000; mov.f32 acc58, 0f00000000; mov.f32 acc59, 0f00000000;");
        CudaAsm.Emit("mov.f32 acc60, 0f00000000; mov.f32 acc61, 0f00000000; mov.f32 acc62, 0f00000000; mov.f32 acc63, 0f00000000;");
    }

    /// <summary>Stores a sum to global memory, straight from its register: what inline text returns would pass through local
    /// memory. The number is a constant at every call, so one instruction is left of this.</summary>
    public static void Store(int sum, long address)
    {
        if (sum == 0) CudaAsm.Emit("st.global.f32 [%0], acc0;", address);
        else if (sum == 1) CudaAsm.Emit("st.global.f32 [%0], acc1;", address);
        else if (sum == 2) CudaAsm.Emit("st.global.f32 [%0], acc2;", address);
        else if (sum == 3) CudaAsm.Emit("st.global.f32 [%0], acc3;", address);
        else if (sum == 4) CudaAsm.Emit("st.global.f32 [%0], acc4;", address);
        else if (sum == 5) CudaAsm.Emit("st.global.f32 [%0], acc5;", address);
        else if (sum == 6) CudaAsm.Emit("st.global.f32 [%0], acc6;", address);
        else if (sum == 7) CudaAsm.Emit("st.global.f32 [%0], acc7;", address);
        else if (sum == 8) CudaAsm.Emit("st.global.f32 [%0], acc8;", address);
        else if (sum == 9) CudaAsm.Emit("st.global.f32 [%0], acc9;", address);
        else if (sum == 10) CudaAsm.Emit("st.global.f32 [%0], acc10;", address);
        else if (sum == 11) CudaAsm.Emit("st.global.f32 [%0], acc11;", address);
        else if (sum == 12) CudaAsm.Emit("st.global.f32 [%0], acc12;", address);
        else if (sum == 13) CudaAsm.Emit("st.global.f32 [%0], acc13;", address);
        else if (sum == 14) CudaAsm.Emit("st.global.f32 [%0], acc14;", address);
        else if (sum == 15) CudaAsm.Emit("st.global.f32 [%0], acc15;", address);
        else if (sum == 16) CudaAsm.Emit("st.global.f32 [%0], acc16;", address);
        else if (sum == 17) CudaAsm.Emit("st.global.f32 [%0], acc17;", address);
        else if (sum == 18) CudaAsm.Emit("st.global.f32 [%0], acc18;", address);
        else if (sum == 19) CudaAsm.Emit("st.global.f32 [%0], acc19;", address);
        else if (sum == 20) CudaAsm.Emit("st.global.f32 [%0], acc20;", address);
        else if (sum == 21) CudaAsm.Emit("st.global.f32 [%0], acc21;", address);
        else if (sum == 22) CudaAsm.Emit("st.global.f32 [%0], acc22;", address);
        else if (sum == 23) CudaAsm.Emit("st.global.f32 [%0], acc23;", address);
        else if (sum == 24) CudaAsm.Emit("st.global.f32 [%0], acc24;", address);
        else if (sum == 25) CudaAsm.Emit("st.global.f32 [%0], acc25;", address);
        else if (sum == 26) CudaAsm.Emit("st.global.f32 [%0], acc26;", address);
        else if (sum == 27) CudaAsm.Emit("st.global.f32 [%0], acc27;", address);
        else if (sum == 28) CudaAsm.Emit("st.global.f32 [%0], acc28;", address);
        else if (sum == 29) CudaAsm.Emit("st.global.f32 [%0], acc29;", address);
        else if (sum == 30) CudaAsm.Emit("st.global.f32 [%0], acc30;", address);
        else if (sum == 31) CudaAsm.Emit("st.global.f32 [%0], acc31;", address);
        else if (sum == 32) CudaAsm.Emit("st.global.f32 [%0], acc32;", address);
        else if (sum == 33) CudaAsm.Emit("st.global.f32 [%0], acc33;", address);
        else if (sum == 34) CudaAsm.Emit("st.global.f32 [%0], acc34;", address);
        else if (sum == 35) CudaAsm.Emit("st.global.f32 [%0], acc35;", address);
        else if (sum == 36) CudaAsm.Emit("st.global.f32 [%0], acc36;", address);
        else if (sum == 37) CudaAsm.Emit("st.global.f32 [%0], acc37;", address);
        else if (sum == 38) CudaAsm.Emit("st.global.f32 [%0], acc38;", address);
        else if (sum == 39) CudaAsm.Emit("st.global.f32 [%0], acc39;", address);
        else if (sum == 40) CudaAsm.Emit("st.global.f32 [%0], acc40;", address);
        else if (sum == 41) CudaAsm.Emit("st.global.f32 [%0], acc41;", address);
        else if (sum == 42) CudaAsm.Emit("st.global.f32 [%0], acc42;", address);
        else if (sum == 43) CudaAsm.Emit("st.global.f32 [%0], acc43;", address);
        else if (sum == 44) CudaAsm.Emit("st.global.f32 [%0], acc44;", address);
        else if (sum == 45) CudaAsm.Emit("st.global.f32 [%0], acc45;", address);
        else if (sum == 46) CudaAsm.Emit("st.global.f32 [%0], acc46;", address);
        else if (sum == 47) CudaAsm.Emit("st.global.f32 [%0], acc47;", address);
        else if (sum == 48) CudaAsm.Emit("st.global.f32 [%0], acc48;", address);
        else if (sum == 49) CudaAsm.Emit("st.global.f32 [%0], acc49;", address);
        else if (sum == 50) CudaAsm.Emit("st.global.f32 [%0], acc50;", address);
        else if (sum == 51) CudaAsm.Emit("st.global.f32 [%0], acc51;", address);
        else if (sum == 52) CudaAsm.Emit("st.global.f32 [%0], acc52;", address);
        else if (sum == 53) CudaAsm.Emit("st.global.f32 [%0], acc53;", address);
        else if (sum == 54) CudaAsm.Emit("st.global.f32 [%0], acc54;", address);
        else if (sum == 55) CudaAsm.Emit("st.global.f32 [%0], acc55;", address);
        else if (sum == 56) CudaAsm.Emit("st.global.f32 [%0], acc56;", address);
        else if (sum == 57) CudaAsm.Emit("st.global.f32 [%0], acc57;", address);
        else if (sum == 58) CudaAsm.Emit("st.global.f32 [%0], acc58;", address);
        else if (sum == 59) CudaAsm.Emit("st.global.f32 [%0], acc59;", address);
        else if (sum == 60) CudaAsm.Emit("st.global.f32 [%0], acc60;", address);
        else if (sum == 61) CudaAsm.Emit("st.global.f32 [%0], acc61;", address);
        else if (sum == 62) CudaAsm.Emit("st.global.f32 [%0], acc62;", address);
        else if (sum == 63) CudaAsm.Emit("st.global.f32 [%0], acc63;", address);
    }
}
