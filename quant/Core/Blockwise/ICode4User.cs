using Bnb.Quant.Codes;

namespace Bnb.Quant.Blockwise;

/// <summary>Takes a 4-bit data type as a type argument.</summary>
internal interface ICode4User
{
    /// <summary>Called once by <see cref="Code4.LendTo"/>.</summary>
    void Use<TCode>()
        where TCode : struct, ICode4;
}
