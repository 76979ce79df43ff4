using System.Text.Unicode;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.IO;

/// <summary>The names in a folder, sorted, each of which can be written again as it is.</summary>
internal static class FolderListing
{
    /// <summary>Lists a folder.</summary>
    /// <exception cref="CheckpointFormatException">
    /// FILE-DENIED, AUX-LIMIT, or FILE-NAME for a name with bytes that are not UTF-8 or with control characters.
    /// </exception>
    public static IReadOnlyList<string> Names(string folder)
    {
        List<string> names = [];
        try
        {
            foreach (string path in Directory.EnumerateFileSystemEntries(folder))
            {
                if (names.Count == FormatLimits.FolderEntries)
                {
                    throw new CheckpointFormatException(
                        FormatError.SideFileLimit, $"{FileProbe.ShortName(folder)} has more than {names.Count} entries", folder, action: "give the folder of one model");
                }

                names.Add(Path.GetFileName(path));
            }
        }
        catch (UnauthorizedAccessException)
        {
            throw FileProbe.StatFailed(folder, Posix.EACCES);
        }

        foreach (string name in names)
        {
            if (name.Any(char.IsControl)) throw BadName(folder, DisplayText.Escape(name), "has control characters");
            // .NET decodes names and puts U+FFFD for what is no UTF-8; such a name cannot be opened again.
            if (name.Contains('\ufffd', StringComparison.Ordinal) && !FileProbe.EntryExists(Path.Combine(folder, name)))
                throw BadName(folder, RawName(folder), "is not UTF-8");
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    private static string RawName(string folder)
    {
        byte[]? name = Posix.RawNames(folder, FormatLimits.FolderEntries).FirstOrDefault(raw => !Utf8.IsValid(raw));
        return name is null ? "unknown" : DisplayText.Escape(name, FormatLimits.FileNameBytes);
    }

    private static CheckpointFormatException BadName(string folder, string name, string rule) => new(
        FormatError.FileNameUnreadable,
        $"the name of a file in {FileProbe.ShortName(folder)} {rule}",
        folder,
        facts: [("name", name)],
        action: "rename or remove that file");
}
