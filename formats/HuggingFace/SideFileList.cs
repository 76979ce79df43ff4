namespace Bnb.Formats.HuggingFace;

/// <summary>The files beside the weights, sorted by name.</summary>
/// <param name="Copied">Files that belong into a copy of the model.</param>
/// <param name="LeftOut">Names of what does not: other weights, old indexes, other models, version-control folders. Folders
/// end with <c>/</c>.</param>
public sealed record SideFileList(IReadOnlyList<SideFile> Copied, IReadOnlyList<string> LeftOut)
{
    /// <summary>Nothing beside the weights.</summary>
    public static SideFileList Empty { get; } = new([], []);
}
