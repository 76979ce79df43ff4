using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;

namespace Bnb.Quant.Search;

/// <summary>The search of a 4-bit data type.</summary>
internal sealed class SearchKernel4 : ICode4User
{
    private SearchBlocks4.Kernel? _kernel;

    public static SearchBlocks4.Kernel Of(Code4 code)
    {
        var user = new SearchKernel4();
        code.LendTo(user);
        return user._kernel!;
    }

    public void Use<TCode>()
        where TCode : struct, ICode4 => _kernel = SearchBlocks4.Run<TCode>;
}
