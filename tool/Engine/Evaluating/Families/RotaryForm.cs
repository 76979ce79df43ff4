namespace Bnb.Engine.Evaluating.Families;

/// <summary>Rotary position embedding of one kind of layer.</summary>
/// <param name="Frequencies">An inverse frequency per rotated pair of channels.</param>
/// <param name="Factor">Of cosines and sines.</param>
/// <param name="Interleaved">Whether a pair is (2i, 2i + 1) or (i, i + half).</param>
internal sealed record RotaryForm(float[] Frequencies, float Factor, bool Interleaved = false);
