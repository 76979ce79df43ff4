using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Tests;

/// <summary>Which paths there are, how one is forced, and that the forced one is the one that runs.</summary>
public class KernelPathsTests
{
    [Fact]
    public void Available_OnThisMachine_FollowsItsInstructionSets()
    {
        Assert.Equal(Avx512F.IsSupported && Avx512BW.IsSupported, KernelPaths.Available.Contains(KernelPath.V512));
        Assert.Equal(Avx2.IsSupported, KernelPaths.Available.Contains(KernelPath.V256));
        Assert.Equal(KernelPath.Reference, KernelPaths.Available[^1]);
        Assert.Equal(KernelPaths.Available.Distinct(), KernelPaths.Available);
    }

    [Fact]
    public void Choose_Unset_IsTheFirstAvailable()
    {
        Assert.Equal(KernelPaths.Available[0], KernelPaths.Choose(null));
        Assert.Equal(KernelPaths.Available[0], KernelPaths.Choose(string.Empty));
        Assert.Equal(KernelPaths.Choose(Environment.GetEnvironmentVariable(KernelPaths.Variable)), KernelPaths.Selected);
    }

    [Fact]
    public void Choose_EachName_IsThatPathOrAnError()
    {
        foreach (KernelPath path in Enum.GetValues<KernelPath>())
        {
            string name = path.ToString().ToLowerInvariant();
            Assert.Equal(path, KernelPaths.Parse(name));
            Assert.Equal(path, KernelPaths.Parse(path.ToString()));
            if (KernelPaths.Available.Contains(path))
            {
                Assert.Equal(path, KernelPaths.Choose(name));
                continue;
            }

            InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => KernelPaths.Choose(name));
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("avx512")]
    [InlineData("v1024")]
    [InlineData("0")]
    public void Choose_UnknownName_ListsTheKnownOnes(string name)
    {
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => KernelPaths.Choose(name));
        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
        Assert.Contains("reference, v128, v256, v512", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void KernelOn_EachPath_IsTheKernelOfThatName()
    {
        foreach (Code4 code in Code4Catalog.All)
        {
            foreach (KernelPath path in Enum.GetValues<KernelPath>())
            {
                System.Reflection.MethodInfo method = code.KernelOn(path).Method;
                Assert.Equal(path.ToString(), method.Name);
                Assert.Equal(code.Name, method.GetGenericArguments()[0].Name.ToLowerInvariant());
            }
        }
    }

    [Fact]
    public void Run_UndefinedPath_Throws() =>
        Assert.Throws<InvalidOperationException>(
            () => Quantize4.Run(Code4Catalog.Nf4, ElementType.F32, 64, new byte[4], new float[1], new byte[1], (KernelPath)9));
}
