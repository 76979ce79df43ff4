using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Backends;

/// <summary>Which kernel paths this machine has and which one is used.</summary>
public static class KernelPaths
{
    /// <summary>The environment variable that forces a path by name: reference, v128, v256 or v512.</summary>
    public const string Variable = "BNB_KERNEL_PATH";

    // The path and one more; 0 until it was chosen. Of two threads that choose at once both find the same.
    private static int _chosen;

    /// <summary>
    /// What can run here, best first. The order is by measurement (nf4 and fp4, all element types, block 64): each step to
    /// the right of v512, v256, v128, reference was the slower one on every combination.
    /// </summary>
    public static IReadOnlyList<KernelPath> Available { get; } = FindAvailable();

    /// <summary>The path forced by <see cref="Variable"/>, else the first of <see cref="Available"/>. Read once.</summary>
    /// <exception cref="InvalidOperationException">The variable names no path, or one this machine does not have.</exception>
    public static KernelPath Selected
    {
        get
        {
            int chosen = Volatile.Read(ref _chosen);
            if (chosen == 0) Volatile.Write(ref _chosen, chosen = (int)Choose(Environment.GetEnvironmentVariable(Variable)) + 1);
            return (KernelPath)(chosen - 1);
        }
    }

    /// <summary>The path with a name (any case).</summary>
    /// <exception cref="InvalidOperationException">No path has it. The text lists the names.</exception>
    public static KernelPath Parse(string name)
    {
        foreach (KernelPath path in Enum.GetValues<KernelPath>())
        {
            if (string.Equals(name, NameOf(path), StringComparison.OrdinalIgnoreCase)) return path;
        }

        string names = string.Join(", ", Enum.GetValues<KernelPath>().Select(NameOf));
        throw new InvalidOperationException($"'{name}' is no kernel path; there are: {names}");
    }

    /// <summary>What <see cref="Selected"/> is for a value of the variable; null and empty mean unset.</summary>
    /// <exception cref="InvalidOperationException">As <see cref="Selected"/>: forcing never falls back silently.</exception>
    internal static KernelPath Choose(string? forced)
    {
        if (string.IsNullOrEmpty(forced)) return Available[0];
        KernelPath path = Parse(forced);
        if (Available.Contains(path)) return path;
        string names = string.Join(", ", Available.Select(NameOf));
        throw new InvalidOperationException($"{Variable}={forced}: this machine does not have that kernel path; it has: {names}");
    }

    /// <summary>Throws unless <paramref name="path"/> can run here: an illegal instruction would end the process.</summary>
    /// <exception cref="InvalidOperationException">It cannot.</exception>
    internal static void Require(KernelPath path)
    {
        if (IsSupported(path)) return;
        throw new InvalidOperationException($"kernel path {NameOf(path)} is not available on this machine");
    }

    private static string NameOf(KernelPath path) => path switch
    {
        KernelPath.Reference => "reference",
        KernelPath.V128 => "v128",
        KernelPath.V256 => "v256",
        KernelPath.V512 => "v512",
        _ => path.ToString(),
    };

    private static bool IsSupported(KernelPath path) => path switch
    {
        KernelPath.Reference => true,
        KernelPath.V128 => Vector128.IsHardwareAccelerated && BitConverter.IsLittleEndian,
        KernelPath.V256 => Avx2.IsSupported,
        KernelPath.V512 => Avx512F.IsSupported && Avx512BW.IsSupported,
        _ => false,
    };

    private static KernelPath[] FindAvailable()
    {
        ReadOnlySpan<KernelPath> preference = [KernelPath.V512, KernelPath.V256, KernelPath.V128, KernelPath.Reference];
        var available = new KernelPath[preference.Length];
        int count = 0;
        foreach (KernelPath path in preference)
        {
            if (IsSupported(path)) available[count++] = path;
        }

        Array.Resize(ref available, count);
        return available;
    }
}
