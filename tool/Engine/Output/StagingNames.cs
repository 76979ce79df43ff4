using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Bnb.Formats.IO;

namespace Bnb.Engine.Output;

/// <summary>
/// The names a staging folder may hold beside the output's own. All are hidden and begin with <c>.bnb-</c>, or are temp names
/// with a random part, so that two processes, on two machines even, never write one file.
/// </summary>
internal static partial class StagingNames
{
    /// <summary>Suffix of a staging folder.</summary>
    public const string Suffix = ".bnb-partial";

    /// <summary>The text of the plan, by which another run sees whether it may go on.</summary>
    public const string Plan = ".bnb-plan.json";

    /// <summary>config.json, or a pipeline's model_index.json, until the commit: without it no loader takes a folder for a model.</summary>
    public const string Config = ".bnb-config.json";

    private const string JournalStart = ".bnb-journal";
    private const string JournalEnd = ".jsonl";
    private const int LongestName = 255;
    private const int RandomBytes = 8;

    /// <summary>
    /// Where the staging folder of an output lies: on the same device, and short even when the output's own name is not.
    /// </summary>
    public static string FolderFor(OutputPlace place)
    {
        if (place.IsMountPoint) return Path.Combine(place.Path, Suffix);
        string name = Path.GetFileName(place.Path) + Suffix;
        if (Encoding.UTF8.GetByteCount(name) > LongestName)
            name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..16] + Suffix;
        return Path.Combine(place.Parent!, name);
    }

    /// <summary>A new journal: each process writes its own.</summary>
    public static string NewJournal() => $"{JournalStart}-{Random()}{JournalEnd}";

    /// <summary>A new temp file: <c>t</c> for what becomes a file of the output, <c>s</c> for scratch.</summary>
    public static string NewTemp(char kind, int number) =>
        string.Create(CultureInfo.InvariantCulture, $".{kind}-{number}-{Environment.ProcessId}-{Random()}");

    public static bool IsJournal(string name) =>
        name.StartsWith(JournalStart, StringComparison.Ordinal) && name.EndsWith(JournalEnd, StringComparison.Ordinal);

    public static bool IsTemp(string name) => Temp().IsMatch(name);

    /// <summary>True for what a run keeps about itself and removes when the output is there.</summary>
    public static bool IsOwn(string name) => IsJournal(name) || IsTemp(name) || name is Plan or Config or Posix.LockFileName;

    private static string Random() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes));

    [GeneratedRegex(@"\A\.[ts]-[0-9]+-[0-9]+-[0-9a-f]{16}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Temp();
}
