using Bnb.Quant.Backends;
using Bnb.Quant.Codes;

namespace Bnb.Quant.Blockwise;

/// <summary>A 4-bit data type as the callers see it: name, table and the code of zero. The instances are in
/// <see cref="Code4Catalog"/>.</summary>
public sealed class Code4
{
    private readonly float[] _values;
    private readonly Func<KernelPath, Quantize4.Kernel> _kernel;
    private readonly Action<ICode4User> _lend;

    private Code4(
        string name, float[] values, byte zeroCode, Func<KernelPath, Quantize4.Kernel> kernel, Action<ICode4User> lend)
    {
        Name = name;
        _values = values;
        ZeroCode = zeroCode;
        _kernel = kernel;
        _lend = lend;
    }

    /// <summary>The name bitsandbytes uses in <c>quant_type</c> and in key names, <c>nf4</c> or <c>fp4</c>.</summary>
    public string Name { get; }

    /// <summary>The 16 float32 values by code for absmax 1: the stored <c>quant_map</c>.</summary>
    public ReadOnlyMemory<float> Values => _values;

    /// <summary>The code of 0.0, which fills the low nibble of the last byte when the number of values is odd.</summary>
    public byte ZeroCode { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Builds the catalogue row of a data type.</summary>
    internal static Code4 Of<TCode>()
        where TCode : struct, ICode4 =>
        new(TCode.Name, TCode.CreateValues(), TCode.Encode(0f), Quantize4.KernelOf<TCode>, static user => user.Use<TCode>());

    /// <summary>The quantizer of this type on a path.</summary>
    internal Quantize4.Kernel KernelOn(KernelPath path) => _kernel(path);

    /// <summary>Calls <paramref name="user"/> with the type that implements this data type, for code above this folder.</summary>
    internal void LendTo(ICode4User user) => _lend(user);
}
