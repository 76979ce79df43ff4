using Bnb.Engine.Errors;
using Bnb.Engine.Text;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Sources;

/// <summary>
/// What a path that is not there was meant to be, where that can be said: what the shell was expected to replace, a misspelt name of which
/// a near one is there, a model of the cache under half its name.
/// </summary>
internal static class MissingPath
{
    private const int MostEdits = 2;
    private const int MostEntries = 2000;
    private const int LongestText = 1024;

    /// <summary>The error with the path that was meant; null when nothing is known.</summary>
    public static UserErrorException? Refusal(string text, HuggingFaceCache cache)
    {
        if (text.Length > LongestText || Hint(text, cache) is not { } hint) return null;
        return new UserErrorException(ExitCode.InputMissing, "FILE-MISSING", $"{Path.GetFileName(Path.TrimEndingDirectorySeparator(text))} is not there")
        {
            File = text,
            Action = hint,
        };
    }

    private static string? Hint(string text, HuggingFaceCache cache) =>
        NotExpanded(text)
        ?? (NearPath(text) is { } near ? $"did you mean {SourceRefusals.Quoted(near)}?" : null)
        ?? OfTheCache(text, cache);

    /// <summary>In quotes a shell leaves these as they are, and a pattern that fits nothing too.</summary>
    private static string? NotExpanded(string text)
    {
        if (text == "~" || text.StartsWith("~/", StringComparison.Ordinal))
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            return $"the shell leaves ~ as it is inside quotes and after =: write {SourceRefusals.Quoted(Path.Join(home, text[1..]))}";
        }

        if (text.Contains('$', StringComparison.Ordinal)) return "the shell did not replace the variable: use double quotes, not single ones";
        if (text.IndexOf('%', StringComparison.Ordinal) is >= 0 and var first && text.IndexOf('%', first + 1) > first) return "%NAME% is a variable of Windows' cmd: write the path";
        if (text.ContainsAny(['*', '?'])) return "no file fits the pattern: one path is taken, write it out";
        bool isWindowsPath = !OperatingSystem.IsWindows() && text is [>= 'A' and <= 'z', ':', '\\' or '/', ..] && char.IsAsciiLetter(text[0]);
        return isWindowsPath ? $"this is a path of Windows; WSL has it as /mnt/{char.ToLowerInvariant(text[0])}/{text[3..].Replace('\\', '/')}" : null;
    }

    /// <summary>The same path with the names that are not there replaced by those that are, in other capitals or misspelt.</summary>
    private static string? NearPath(string text)
    {
        string[] names = text.Split('/');
        for (int at = 0; at < names.Length; at++)
        {
            if (names[at].Length == 0 || Path.Exists(string.Join('/', names[..(at + 1)]))) continue;
            string parent = string.Join('/', names[..at]);
            IReadOnlyList<string> there = Entries(parent.Length > 0 ? parent : at > 0 ? "/" : ".");
            string? name = there.FirstOrDefault(entry => entry.Equals(names[at], StringComparison.OrdinalIgnoreCase))
                // Of a short name two edits leave too little.
                ?? (names[at].Length > 2 * MostEdits ? NearestNames.Within(names[at], there, MostEdits) : null);
            if (name is null) return null;
            names[at] = name;
        }

        return string.Join('/', names);
    }

    /// <summary>A model of the cache: its folder's name alone, its id in other capitals or misspelt, its name without the owner, or a
    /// folder inside it.</summary>
    private static string? OfTheCache(string text, HuggingFaceCache cache)
    {
        IReadOnlyList<string> ids = [.. Entries(cache.Folder).Select(RepositoryName.IdOfFolder).OfType<string>()];
        if (RepositoryName.IdOfFolder(text) is { } own && ids.Contains(own)) return $"give the model's id: {own}";
        string id = text.Split('@')[0];
        string? meant = ids.FirstOrDefault(known => known.Equals(id, StringComparison.OrdinalIgnoreCase))
            ?? ids.FirstOrDefault(known => known.EndsWith("/" + id, StringComparison.OrdinalIgnoreCase))
            ?? (id.Length > 3 * MostEdits && id.Contains('/', StringComparison.Ordinal) ? NearestNames.Within(id, ids, MostEdits) : null);
        if (meant is not null && meant != id) return $"did you mean {meant}, which is in the Hugging Face cache?";
        string[] parts = text.Split('/', 3);
        bool isInside = parts.Length == 3 && ids.Contains($"{parts[0]}/{parts[1]}") && RepositoryName.TryParse($"{parts[0]}/{parts[1]}", out _);
        if (!isInside) return null;
        _ = RepositoryName.TryParse($"{parts[0]}/{parts[1]}", out RepositoryName? model);
        string? snapshot = cache.Snapshot(model!);
        if (snapshot is null) return null;
        string inside = Path.Combine(snapshot, parts[2]);
        return Path.Exists(inside) ? $"give its path in the cache: {SourceRefusals.Quoted(inside)}" : $"{model!.Id} is in the Hugging Face cache, without {parts[2]}: give the id alone";
    }

    /// <summary>The names in a folder, not too many; none where it is none or cannot be listed.</summary>
    public static IReadOnlyList<string> Entries(string folder)
    {
        try
        {
            return Directory.Exists(folder) ? [.. Directory.EnumerateFileSystemEntries(folder).Take(MostEntries).Select(path => Path.GetFileName(path)!)] : [];
        }
        catch (Exception denied) when (denied is IOException or UnauthorizedAccessException)
        {
            // Only a hint: the error itself is another.
            return [];
        }
    }
}
