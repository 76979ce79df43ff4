using Bnb.Quant.Codes;

namespace Bnb.Quant.Blockwise;

/// <summary>The 4-bit data types, one row each. Tests and command line iterate over it, so a row is all a
/// new type needs.</summary>
public static class Code4Catalog
{
    /// <summary>NormalFloat4, <c>nf4</c>.</summary>
    public static Code4 Nf4 { get; } = Code4.Of<Nf4>();

    /// <summary>The 4-bit float of bitsandbytes, <c>fp4</c>.</summary>
    public static Code4 Fp4 { get; } = Code4.Of<Fp4>();

    /// <summary>All types, the recommended one first.</summary>
    public static IReadOnlyList<Code4> All { get; } = [Nf4, Fp4];

    /// <summary>The type whose <see cref="Code4.Name"/> is exactly <paramref name="name"/>.</summary>
    /// <exception cref="ArgumentException">There is none; the text lists the names there are.</exception>
    public static Code4 ByName(string name)
    {
        foreach (Code4 code in All)
        {
            if (string.Equals(code.Name, name, StringComparison.Ordinal)) return code;
        }

        throw new ArgumentException($"no 4-bit type '{name}'; there are: {string.Join(", ", All)}", nameof(name));
    }
}
