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

    /// <summary>The sums of a tile.</summary>
    public static void Sums(int tile, out float s0, out float s1, out float s2, out float s3)
    {
        if (tile == 0)
        {
            CudaAsm.Emit("mov.f32 %0, acc0;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc1;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc2;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc3;", out s3);
        }
        else if (tile == 1)
        {
            CudaAsm.Emit("mov.f32 %0, acc4;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc5;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc6;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc7;", out s3);
        }
        else if (tile == 2)
        {
            CudaAsm.Emit("mov.f32 %0, acc8;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc9;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc10;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc11;", out s3);
        }
        else if (tile == 3)
        {
            CudaAsm.Emit("mov.f32 %0, acc12;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc13;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc14;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc15;", out s3);
        }
        else if (tile == 4)
        {
            CudaAsm.Emit("mov.f32 %0, acc16;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc17;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc18;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc19;", out s3);
        }
        else if (tile == 5)
        {
            CudaAsm.Emit("mov.f32 %0, acc20;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc21;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc22;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc23;", out s3);
        }
        else if (tile == 6)
        {
            CudaAsm.Emit("mov.f32 %0, acc24;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc25;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc26;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc27;", out s3);
        }
        else if (tile == 7)
        {
            CudaAsm.Emit("mov.f32 %0, acc28;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc29;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc30;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc31;", out s3);
        }
        else if (tile == 8)
        {
            CudaAsm.Emit("mov.f32 %0, acc32;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc33;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc34;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc35;", out s3);
        }
        else if (tile == 9)
        {
            CudaAsm.Emit("mov.f32 %0, acc36;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc37;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc38;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc39;", out s3);
        }
        else if (tile == 10)
        {
            CudaAsm.Emit("mov.f32 %0, acc40;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc41;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc42;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc43;", out s3);
        }
        else if (tile == 11)
        {
            CudaAsm.Emit("mov.f32 %0, acc44;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc45;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc46;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc47;", out s3);
        }
        else if (tile == 12)
        {
            CudaAsm.Emit("mov.f32 %0, acc48;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc49;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc50;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc51;", out s3);
        }
        else if (tile == 13)
        {
            CudaAsm.Emit("mov.f32 %0, acc52;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc53;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc54;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc55;", out s3);
        }
        else if (tile == 14)
        {
            CudaAsm.Emit("mov.f32 %0, acc56;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc57;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc58;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc59;", out s3);
        }
        else
        {
            CudaAsm.Emit("mov.f32 %0, acc60;", out s0);
            CudaAsm.Emit("mov.f32 %0, acc61;", out s1);
            CudaAsm.Emit("mov.f32 %0, acc62;", out s2);
            CudaAsm.Emit("mov.f32 %0, acc63;", out s3);
        }
    }
}
