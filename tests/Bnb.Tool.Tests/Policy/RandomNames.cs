namespace Bnb.Tool.Tests.Policy;

/// <summary>Names from a small alphabet, so that prefixes, suffixes and components collide often.</summary>
internal static class RandomNames
{
    private static readonly string[] Parts =
        ["a", "ab", "b", "ba", "1", "10", "model", "gate", "gate_proj", "up_proj", "q_proj", "k_proj", "experts", "lm_head", "x"];

    private static readonly string[] OddParts =
        ["", "a b", "+", "(", "[z", "a\n", "é", "\ud83d\ude00", "\\", "*", ".", "\0", "$"];

    public static string Path(Random random, int longest) =>
        string.Join('.', Enumerable.Range(0, random.Next(1, longest + 1)).Select(_ => Parts[random.Next(Parts.Length)]));

    public static string OddPath(Random random, int longest) =>
        string.Join('.', Enumerable.Range(0, random.Next(1, longest + 1)).Select(_ =>
            random.Next(4) == 0 ? OddParts[random.Next(OddParts.Length)] : Parts[random.Next(Parts.Length)]));
}
