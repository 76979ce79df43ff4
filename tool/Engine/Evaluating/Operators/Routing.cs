namespace Bnb.Engine.Evaluating.Operators;

/// <summary>Which experts a token goes to, and with what weight.</summary>
internal static class Routing
{
    /// <summary>What DeepSeek's router adds to the sum it divides by.</summary>
    private const double SumEpsilon = 1e-20;

    /// <summary>Chooses experts by <paramref name="rule"/>; of equal scores the lower number wins.</summary>
    /// <param name="logits">One per expert; overwritten with scores.</param>
    /// <param name="correction">Added to scores for the choice alone; empty for none.</param>
    /// <returns>The chosen experts, best first, and their weights.</returns>
    public static (int Expert, float Weight)[] Choose(RouterRule rule, Span<float> logits, ReadOnlySpan<float> correction)
    {
        if (rule.Scoring == RouterScoring.Softmax)
        {
            Softmax.Run(logits, sink: null);
        }
        else
        {
            foreach (ref float logit in logits) logit = 1 / (1 + MathF.Exp(-logit));
        }

        float[] preference = logits.ToArray();
        for (int i = 0; i < correction.Length; i++) preference[i] += correction[i];
        if (rule.Groups > 1) DropGroups(rule, preference);
        int[] best = Best(preference, rule.TopK);
        double sum = SumEpsilon;
        foreach (int expert in best) sum += logits[expert];
        var chosen = new (int Expert, float Weight)[best.Length];
        for (int i = 0; i < best.Length; i++)
        {
            double weight = logits[best[i]];
            if (rule.Normalize) weight /= sum;
            chosen[i] = (best[i], (float)(weight * rule.Scale));
        }

        return chosen;
    }

    /// <summary>A group is worth the sum of its two best; those beyond the kept ones are out.</summary>
    private static void DropGroups(RouterRule rule, float[] preference)
    {
        int size = preference.Length / rule.Groups;
        float[] worth = new float[rule.Groups];
        for (int group = 0; group < rule.Groups; group++)
        {
            float[] scores = preference[(group * size)..((group + 1) * size)];
            worth[group] = Best(scores, Math.Min(2, size)).Sum(i => scores[i]);
        }

        HashSet<int> kept = [.. Best(worth, rule.GroupsKept)];
        for (int i = 0; i < preference.Length; i++)
        {
            // Not to a score of zero, as transformers 4 masked them: a negative correction can lie below it.
            if (!kept.Contains(i / size)) preference[i] = float.NegativeInfinity;
        }
    }

    private static int[] Best(float[] scores, int count) =>
        [.. Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ThenBy(i => i).Take(count)];
}
