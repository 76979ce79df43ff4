namespace Bnb.Engine.Evaluating.Forward;

/// <summary>Whole contexts that go through a layer together.</summary>
/// <param name="First">The first token, of all tokens.</param>
/// <param name="Count">Tokens.</param>
/// <param name="Contexts">Where each context lies, counted from <paramref name="First"/>.</param>
internal sealed record TokenBatch(int First, int Count, IReadOnlyList<Range> Contexts)
{
    /// <summary>Cuts contexts into batches of at most <paramref name="most"/> tokens, or of one context.</summary>
    public static IReadOnlyList<TokenBatch> Cut(IReadOnlyList<int> lengths, int most)
    {
        var batches = new List<TokenBatch>();
        var contexts = new List<Range>();
        int first = 0, count = 0;
        foreach (int length in lengths)
        {
            if (count > 0 && count + length > most) Close();
            contexts.Add(count..(count + length));
            count += length;
        }

        if (count > 0) Close();
        return batches;

        void Close()
        {
            batches.Add(new TokenBatch(first, count, [.. contexts]));
            first += count;
            count = 0;
            contexts.Clear();
        }
    }
}
