namespace Bnb.Formats.Gguf;

/// <summary>Squared activations of a weight, or of all experts of one.</summary>
/// <param name="Name">llama.cpp's name of the weight.</param>
/// <param name="Channels">Input channels of each matrix.</param>
/// <param name="Sums">[matrices, channels]: sums of squares.</param>
/// <param name="Counts">Tokens in the sums, one per matrix.</param>
public sealed record ImatrixEntry(string Name, int Channels, float[] Sums, float[] Counts);
