namespace Bnb.Engine.Evaluating.Operators;

/// <summary>How the logits of a router choose experts for a token.</summary>
/// <param name="Scoring">What makes scores of logits.</param>
/// <param name="TopK">Experts per token.</param>
/// <param name="Normalize">Whether the chosen scores are divided by their sum.</param>
/// <param name="Scale">Of the weights, at last.</param>
/// <param name="Groups">Experts are chosen from the best of this many groups; 1 for all.</param>
/// <param name="GroupsKept">How many groups those are.</param>
internal sealed record RouterRule(RouterScoring Scoring, int TopK, bool Normalize, float Scale = 1, int Groups = 1, int GroupsKept = 1);

/// <summary>What makes scores of a router's logits.</summary>
internal enum RouterScoring
{
    /// <summary>Softmax over all experts, then the best are taken. Normalized, it is a softmax over the best ones.</summary>
    Softmax,

    /// <summary>A sigmoid each; the choice is made after a stored correction is added, the weights without it.</summary>
    Sigmoid,
}
