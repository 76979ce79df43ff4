using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Bnb.Formats.HuggingFace;

/// <summary>A model on the Hugging Face hub as people write it: <c>org/name</c>, <c>org/name@revision</c>, or <c>name</c> alone
/// for the few old ones without an owner.</summary>
/// <param name="Id">Owner and name, with one slash, or the name alone.</param>
/// <param name="Revision">Branch, tag or commit; null for the main branch.</param>
public sealed partial record RepositoryName(string Id, string? Revision)
{
    private const int LongestId = 192;
    private const int LongestRevision = 200;
    private const string FolderPrefix = "models--";

    /// <summary>The branch a model is taken from when none is named.</summary>
    public string RevisionOrMain => Revision ?? "main";

    /// <summary>What the hub's own library calls its folder in the cache: <c>models--org--name</c>.</summary>
    public string FolderName => FolderPrefix + Id.Replace("/", "--", StringComparison.Ordinal);

    /// <summary>Reads <c>org/name[@revision]</c>. Pure: says how a text is written, not whether there is such a model.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out RepositoryName? name)
    {
        ArgumentNullException.ThrowIfNull(text);
        int at = text.IndexOf('@', StringComparison.Ordinal);
        string id = at < 0 ? text : text[..at];
        string? revision = at < 0 ? null : text[(at + 1)..];
        bool isName = id.Length <= LongestId && Identifier().IsMatch(id) && !HasGap(id);
        name = isName && (revision is null || IsRevision(revision)) ? new RepositoryName(id, revision) : null;
        return name is not null;
    }

    /// <summary>The id that a folder of the cache stands for, from <c>models--org--name</c>; null for any other name.</summary>
    public static string? IdOfFolder(string folderName)
    {
        ArgumentNullException.ThrowIfNull(folderName);
        if (!folderName.StartsWith(FolderPrefix, StringComparison.Ordinal)) return null;
        // Ids hold no "--", so the separator cannot be mistaken.
        string id = folderName[FolderPrefix.Length..].Replace("--", "/", StringComparison.Ordinal);
        return TryParse(id, out RepositoryName? name) && name.Revision is null ? id : null;
    }

    /// <inheritdoc/>
    public override string ToString() => Revision is null ? Id : $"{Id}@{Revision}";

    /// <summary>A revision becomes a path below the cache: branch names may hold slashes, and must not lead out.</summary>
    private static bool IsRevision(string text) => text.Length <= LongestRevision && RevisionText().IsMatch(text) && !HasGap(text);

    private static bool HasGap(string text) =>
        text.Contains("..", StringComparison.Ordinal) || text.Contains("--", StringComparison.Ordinal) || text.EndsWith(".git", StringComparison.Ordinal);

    [GeneratedRegex(@"\A[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Identifier();

    [GeneratedRegex(@"\A[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex RevisionText();
}
