namespace Bnb.Engine.Evaluating.Tokens;

/// <summary>The tokens that both models see.</summary>
/// <param name="Ids">Of all contexts, one after the other.</param>
/// <param name="Lengths">Tokens of each context; contexts do not see each other.</param>
internal sealed record TokenRows(int[] Ids, IReadOnlyList<int> Lengths)
{
    /// <summary>The token that follows each one, -1 at the end of a context.</summary>
    public int[] Targets
    {
        get
        {
            int[] targets = new int[Ids.Length];
            int first = 0;
            foreach (int length in Lengths)
            {
                for (int i = 0; i < length; i++) targets[first + i] = i == length - 1 ? -1 : Ids[first + i + 1];
                first += length;
            }

            return targets;
        }
    }

    /// <summary>Cuts a text's tokens into contexts; a last one of a single token, which would predict nothing, is left out.</summary>
    /// <param name="most">Tokens taken from the start at most.</param>
    /// <param name="context">Tokens of each context.</param>
    public static TokenRows Cut(IReadOnlyList<int> ids, int most, int context)
    {
        var lengths = new List<int>();
        int rest = Math.Min(ids.Count, most), kept = 0;
        for (; rest > 1; rest -= lengths[^1])
        {
            lengths.Add(Math.Min(rest, context));
            kept += lengths[^1];
        }

        return new TokenRows([.. ids.Take(kept)], lengths);
    }

    /// <summary>The first contexts of at most this many tokens in all; the last of them may be cut.</summary>
    public TokenRows Take(int most)
    {
        var lengths = new List<int>();
        int kept = 0;
        foreach (int length in Lengths)
        {
            int part = Math.Min(length, most - kept);
            if (part < 2) break;
            lengths.Add(part);
            kept += part;
        }

        return new TokenRows(Ids[..kept], lengths);
    }
}
