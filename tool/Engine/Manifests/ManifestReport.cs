using Bnb.Engine.Output;

namespace Bnb.Engine.Manifests;

/// <summary>A file that is not what the manifest says.</summary>
/// <param name="Expected">A hash or a length; null where neither is known.</param>
/// <param name="Problem"><c>missing</c>, <c>length</c>, <c>sha256</c> or <c>unreadable</c>.</param>
internal sealed record ManifestProblem(string Name, string Problem, string? Expected, string? Found);

/// <summary>What a folder is against its manifest.</summary>
/// <param name="Unlisted">Files that the manifest does not name: nothing is said of them, for better or worse.</param>
internal sealed record ManifestReport(
    string Folder, OutputManifest Manifest, IReadOnlyList<ManifestProblem> Problems, IReadOnlyList<string> Unlisted)
{
    /// <summary>Weight files of which only the length is known: they were written without checksums.</summary>
    public IReadOnlyList<string> Unhashed { get; } = [.. Manifest.Files.Where(static file => file.Sha256 is null).Select(static file => file.Name)];

    /// <summary>Whether every file is known to be what was written.</summary>
    public bool Passed => Problems.Count == 0 && Unhashed.Count == 0;
}
