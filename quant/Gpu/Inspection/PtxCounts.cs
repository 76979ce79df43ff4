using System.Text.RegularExpressions;

namespace Bnb.Quant.Gpu.Inspection;

/// <summary>How often the instructions that matter are in the PTX of a kernel.</summary>
internal static partial class PtxCounts
{
    private static readonly (string Name, Regex Pattern)[] Counted =
    [
        ("instructions", Instruction()), ("local", Local()), ("generic", Generic()), ("global", Global()), ("shared", Shared()),
        ("vector", Vector()), ("div", Division()), ("fma", Fused()), ("mma", Matrix()), ("ldmatrix", Fragments()), ("cp.async", Asynchronous()), ("dp4a", Dot()), ("atom", Atomic()), ("bar", Barrier()),
    ];

    /// <summary>One line: the kernel's name, and what is in it more than not at all.</summary>
    public static string Line(string name, string ptx) => $"{name}: " + string.Join(
        ", ", Counted.Select(row => (row.Name, Count: row.Pattern.Count(ptx))).Where(row => row.Count > 0).Select(row => $"{row.Name} {row.Count}"));

    [GeneratedRegex(@"(?m)^\t(?!\.)[^\n]*;")]
    private static partial Regex Instruction();

    [GeneratedRegex(@"\b(ld|st)\.local|\.local \.align")]
    private static partial Regex Local();

    [GeneratedRegex(@"\b(ld|st)\.(v[24]\.)?[bufs]\d+")]
    private static partial Regex Generic();

    [GeneratedRegex(@"\b(ld|st)\.global")]
    private static partial Regex Global();

    [GeneratedRegex(@"\b(ld|st)\.shared")]
    private static partial Regex Shared();

    [GeneratedRegex(@"\b(ld|st)\.(\w+\.)?v[24]\.")]
    private static partial Regex Vector();

    [GeneratedRegex(@"\bdiv\.")]
    private static partial Regex Division();

    [GeneratedRegex(@"\bfma\.")]
    private static partial Regex Fused();

    [GeneratedRegex(@"\bmma\.sync")]
    private static partial Regex Matrix();

    [GeneratedRegex(@"\bldmatrix\.")]
    private static partial Regex Fragments();

    [GeneratedRegex(@"\bcp\.async\.cg")]
    private static partial Regex Asynchronous();

    [GeneratedRegex(@"\bdp4a\.")]
    private static partial Regex Dot();

    [GeneratedRegex(@"\b(atom|red)\.")]
    private static partial Regex Atomic();

    [GeneratedRegex(@"\bbar\.|\bbarrier\.")]
    private static partial Regex Barrier();
}
