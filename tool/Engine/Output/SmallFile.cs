using Bnb.Formats.IO;

namespace Bnb.Engine.Output;

/// <summary>Small files that this tool wrote, or somebody else in its name.</summary>
internal static class SmallFile
{
    private const long Longest = 1 << 28;

    /// <summary>The whole content, null when the file is not there or longer than any of ours.</summary>
    public static byte[]? TryRead(string path)
    {
        if (!File.Exists(path)) return null;
        using PositionedFile file = PositionedFile.Open(path);
        if (file.Length > Longest) return null;
        byte[] bytes = new byte[(int)file.Length];
        file.Read(0, bytes);
        return bytes;
    }
}
