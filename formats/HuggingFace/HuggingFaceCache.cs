using System.Text;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// The folder in which the hub's own library keeps what it downloaded: <c>models--ORG--NAME/refs/BRANCH</c> holds a commit,
/// <c>snapshots/COMMIT</c> the files of it, as links into <c>blobs</c>. Only looked into, never written, never asked over a
/// network.
/// </summary>
/// <param name="folder">The folder that holds <c>models--…</c>.</param>
public sealed class HuggingFaceCache(string folder)
{
    private const int LongestRef = 256;

    /// <summary>Where it is.</summary>
    public string Folder { get; } = folder;

    /// <summary>
    /// The cache that the hub's library would use: <c>HF_HUB_CACHE</c>, else <c>HUGGINGFACE_HUB_CACHE</c>, else <c>hub</c> in
    /// <c>HF_HOME</c>, else <c>huggingface/hub</c> in <c>XDG_CACHE_HOME</c>, else in <c>~/.cache</c>.
    /// </summary>
    /// <param name="variable">Reads an environment variable; null or empty means not set.</param>
    public static HuggingFaceCache Default(Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        string home = variable("HOME") is { Length: > 0 } given ? given : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if ((Value("HF_HUB_CACHE") ?? Value("HUGGINGFACE_HUB_CACHE")) is { } hub) return new HuggingFaceCache(hub);
        string own = Value("HF_HOME") ?? Path.Combine(Value("XDG_CACHE_HOME") ?? Path.Combine(home, ".cache"), "huggingface");
        return new HuggingFaceCache(Path.Combine(own, "hub"));

        string? Value(string name) => variable(name) is not { Length: > 0 } text ? null
            : text == "~" ? home
            : text.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(home, text[2..])
            : text;
    }

    /// <summary>True for the folder of one model in such a cache, <c>models--org--name</c> with its snapshots.</summary>
    public static bool IsModelFolder(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return RepositoryName.IdOfFolder(NameOf(path)) is not null && Directory.Exists(Path.Combine(path, "snapshots"));
    }

    /// <summary>The model that a path inside a cache belongs to, from its folder names alone; null for any other path.</summary>
    public static RepositoryName? ModelOf(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        string? below = null, commit = null;
        for (string? at = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)); at is not null; at = Path.GetDirectoryName(at))
        {
            string name = Path.GetFileName(at);
            if (below is null or "snapshots" && RepositoryName.IdOfFolder(name) is { } id) return new RepositoryName(id, commit);
            if (name == "snapshots") commit = below;
            below = name;
        }

        return null;
    }

    /// <summary>The folder of a model, whether it is there or not.</summary>
    public string FolderOf(RepositoryName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Path.Combine(Folder, name.FolderName);
    }

    /// <summary>
    /// The folder with a model's files at a revision: the commit that <c>refs/REVISION</c> names, or the commit given. Without
    /// a revision and without <c>refs/main</c> the only snapshot there is.
    /// </summary>
    /// <returns>Null when the cache does not have it.</returns>
    /// <exception cref="CheckpointFormatException">FILE-KIND: a ref that names no commit.</exception>
    public string? Snapshot(RepositoryName name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Snapshot(FolderOf(name), name.Revision);
    }

    /// <summary>The same for the folder of a model, see <see cref="IsModelFolder"/>.</summary>
    public static string? Snapshot(string modelFolder, string? revision)
    {
        string snapshots = Path.Combine(modelFolder, "snapshots");
        if (Existing(Path.Combine(modelFolder, "refs", revision ?? "main")) is { } reference)
            return ExistingFolder(Path.Combine(snapshots, Commit(reference)));
        if (revision is not null) return IsCommit(revision) ? ExistingFolder(Path.Combine(snapshots, revision)) : null;
        IReadOnlyList<string> all = Revisions(modelFolder);
        return all.Count == 1 ? ExistingFolder(Path.Combine(snapshots, all[0])) : null;
    }

    /// <summary>The commits of which the cache has files, sorted.</summary>
    public static IReadOnlyList<string> Revisions(string modelFolder)
    {
        string snapshots = Path.Combine(modelFolder, "snapshots");
        return Directory.Exists(snapshots)
            ? [.. FolderListing.Names(snapshots).Where(name => IsCommit(name) && Directory.Exists(Path.Combine(snapshots, name)))]
            : [];
    }

    private static string Commit(string reference)
    {
        string text = Encoding.UTF8.GetString(FileProbe.ReadSmall(reference, LongestRef, FormatError.FileIsNotRegular)).Trim();
        if (IsCommit(text)) return text;
        throw new CheckpointFormatException(
            FormatError.FileIsNotRegular,
            $"{FileProbe.ShortName(reference)} in the Hugging Face cache does not name a commit",
            reference,
            facts: [("found", DisplayText.Escape(text))],
            action: "download the model again, or give the folder of one snapshot");
    }

    /// <summary>It becomes the name of a folder: nothing that could lead elsewhere.</summary>
    private static bool IsCommit(string text) => text.Length is > 0 and <= 64 && text.All(char.IsAsciiHexDigit);

    private static string? Existing(string path) => File.Exists(path) ? path : null;

    private static string? ExistingFolder(string path) => Directory.Exists(path) ? path : null;

    private static string NameOf(string path) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
}
