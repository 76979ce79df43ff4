
namespace Bnb.Engine.Evaluating.Families;

/// <summary>
/// One decoder layer. In sequence: x += post(attention(pre(x))), then x += post(feed-forward(pre(x))), each norm where it is
/// given. In parallel, both are made of the same x and added together.
/// </summary>
/// <param name="Attention">Its attention.</param>
/// <param name="FeedForward">Its feed-forward block.</param>
internal sealed record LayerForm(AttentionForm Attention, FeedForwardForm FeedForward)
{
    /// <summary>Of what attention gets; null for none.</summary>
    public NormForm? BeforeAttention { get; init; }

    /// <summary>Of what attention gives; null for none.</summary>
    public NormForm? AfterAttention { get; init; }

    /// <summary>Of what the feed-forward block gets; null for none.</summary>
    public NormForm? BeforeFeedForward { get; init; }

    /// <summary>Of what it gives; null for none.</summary>
    public NormForm? AfterFeedForward { get; init; }

    /// <summary>Of x once attention is added; null for none.</summary>
    public NormForm? AfterAttentionSum { get; init; }

    /// <summary>Of x once the feed-forward block is added; null for none.</summary>
    public NormForm? AfterFeedForwardSum { get; init; }

    /// <summary>Whether both blocks are made of the same x.</summary>
    public bool IsParallel { get; init; }

    /// <summary>Of what is added to x.</summary>
    public float ResidualScale { get; init; } = 1;
}
