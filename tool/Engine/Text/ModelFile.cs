using System.Text;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Text;

/// <summary>
/// Keeps reports and logs from taking the place of a model's files: <c>--report llama/config.json</c> is a slip of the hand and would
/// cost the model. What an earlier run of this tool wrote there may be replaced.
/// </summary>
internal static class ModelFile
{
    private const int Looked = 4096;
    private const int MostEntries = 4096;

    private static readonly string[] Own =
    [
        "\"type\": \"verification\"", "\"type\":\"verification\"", "\"type\": \"evaluation\"", "\"type\":\"evaluation\"",
        "urn:dotnet-bnb:schema:recipe-file", "sarif-2.1.0", "<testsuites name=\"dotnet bnb ", "<title>Verified: ", "<title>Evaluated: ", "<title>FAILED: ", "<svg",
    ];

    /// <summary>Whether a file is there, in the folder of a model, that was not written as a report, a recipe or a log.</summary>
    public static bool IsAt(string path)
    {
        string full = Path.GetFullPath(path);
        var file = new FileInfo(full);
        return file.Exists && file.Length > 0 && !NamedFile.IsIrregular(full) && HoldsModel(Path.GetDirectoryName(full)!) && !IsOwn(full);
    }

    private static bool HoldsModel(string folder) => Directory.EnumerateFiles(folder).Take(MostEntries).Select(Path.GetFileName)
        .Any(name => name is "config.json" or "model_index.json" || SideFileRules.IsWeights(name!));

    private static bool IsOwn(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] head = new byte[Looked];
        string text = Encoding.UTF8.GetString(head, 0, file.ReadAtLeast(head, Looked, throwOnEndOfStream: false));
        bool isLog = text.Length > 10 && char.IsAsciiDigit(text[0]) && text[4] == '-' && text[10] == 'T';
        return isLog || text.StartsWith("## dotnet bnb ", StringComparison.Ordinal) || Own.Any(mark => text.Contains(mark, StringComparison.Ordinal));
    }
}
