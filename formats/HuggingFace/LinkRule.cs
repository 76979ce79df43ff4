using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// Which symbolic links among side files may be followed. A link out of the model folder would copy a foreign file into the
/// result and from there to wherever it is published. The Hugging Face cache is the exception: its
/// <c>snapshots/REVISION</c> holds links into <c>blobs</c> beside <c>snapshots</c>.
/// </summary>
internal sealed class LinkRule
{
    private readonly List<string> _allowed = [];

    /// <summary>Finds the real places a link may lead to.</summary>
    public LinkRule(string root)
    {
        if (Posix.RealPath(root) is not { } real) return;
        _allowed.Add(real);
        for (string? folder = real; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (Path.GetFileName(folder) != "snapshots" || Path.GetDirectoryName(folder) is not { } repository) continue;
            _allowed.Add(Path.Combine(repository, "blobs"));
            break;
        }
    }

    /// <summary>True when the path, every link on it resolved, is inside one of the places.</summary>
    public bool StaysInside(string path) => Posix.RealPath(path) is { } real && _allowed.Any(place => Contains(place, real));

    /// <summary>The error for a link that leads elsewhere.</summary>
    public static CheckpointFormatException Error(string path) => new(
        FormatError.SideFileLink,
        $"{FileProbe.ShortName(path)} is a link out of the model folder",
        path,
        facts: [("links to", DisplayText.Escape(FileProbe.LinkTarget(path) ?? Posix.RealPath(path) ?? "unknown"))],
        action: "remove the link, or use --follow-symlinks to copy what it points to");

    private static bool Contains(string place, string real) => real.StartsWith(place, StringComparison.Ordinal)
        && (real.Length == place.Length
            || place[^1] == Path.DirectorySeparatorChar
            || real[place.Length] == Path.DirectorySeparatorChar);
}
