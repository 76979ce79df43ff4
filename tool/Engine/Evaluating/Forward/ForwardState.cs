using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The activations of all tokens between stages.</summary>
internal sealed class ForwardState
{
    /// <param name="ids">Of all contexts, one after the other.</param>
    /// <param name="lengths">Tokens of each context.</param>
    /// <param name="hidden">Width of the hidden state.</param>
    public ForwardState(int[] ids, IReadOnlyList<int> lengths, int hidden, int batchTokens)
    {
        Ids = ids;
        Batches = TokenBatch.Cut(lengths, batchTokens);
        LongestContext = lengths.DefaultIfEmpty(0).Max();
        Positions = [.. lengths.SelectMany(length => Enumerable.Range(0, length))];
        Hidden = new TokenMatrix(new float[checked(ids.Length * hidden)], 0, ids.Length, hidden);
    }

    public int[] Ids { get; }

    /// <summary>The place of each token in its context.</summary>
    public int[] Positions { get; }

    public int LongestContext { get; }

    public IReadOnlyList<TokenBatch> Batches { get; }

    /// <summary>[tokens, hidden]: the residual stream, after the last stage the normed state that the head takes.</summary>
    public TokenMatrix Hidden { get; set; }

    /// <summary>What attention gave, of a layer that adds both blocks at once; made when first asked for.</summary>
    public TokenMatrix Pending => _pending ??= Like(Hidden);

    /// <summary>What experts get, [tokens, hidden].</summary>
    public TokenMatrix ExpertInput => _expertInput ??= Like(Hidden);

    /// <summary>The sum of what they give, [tokens, hidden].</summary>
    public TokenMatrix ExpertOutput => _expertOutput ??= Like(Hidden);

    /// <summary>For each expert the tokens that chose it, with weights.</summary>
    public List<(int Token, float Weight)>[] Chosen { get; set; } = [];

    private TokenMatrix? _pending;
    private TokenMatrix? _expertInput;
    private TokenMatrix? _expertOutput;

    private static TokenMatrix Like(TokenMatrix matrix) => matrix with { Values = new float[matrix.Rows * matrix.Width] };
}
