using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// Walks a model folder for its side files, opening each once so that an unreadable one is found before any work. Nothing is
/// passed over in silence: a file is copied, listed as left out, or an error.
/// </summary>
internal sealed class SideFileScan
{
    private readonly string _root;
    private readonly bool _followLinks;
    private readonly IReadOnlySet<string> _ownFiles;
    private readonly LinkRule _links;
    private readonly List<SideFile> _copied = [];
    private readonly List<string> _leftOut = [];
    private readonly List<(string Name, string Text)> _pointers = [];

    private SideFileScan(string root, bool followLinks, IReadOnlySet<string> ownFiles)
    {
        _root = root;
        _followLinks = followLinks;
        _ownFiles = ownFiles;
        _links = new LinkRule(root);
    }

    /// <summary>Lists the side files of a folder.</summary>
    /// <param name="root">The model folder.</param>
    /// <param name="followLinks">True to copy links that lead out of the folder.</param>
    /// <param name="ownFiles">Relative names that are no side files: the weights, their index and config.json.</param>
    /// <exception cref="CheckpointFormatException">AUX and FILE codes.</exception>
    public static SideFileList Run(string root, bool followLinks, IReadOnlySet<string> ownFiles)
    {
        SideFileScan scan = new(root, followLinks, ownFiles);
        scan.Walk(root, "", depth: 0, takeWeights: false);
        if (scan._pointers.Count > 0)
        {
            throw new CheckpointFormatException(
                FormatError.FileIsLfsPointer,
                $"{scan._pointers.Count} of the files beside the weights are Git LFS pointers; the files were not downloaded",
                root,
                facts: ItemList.Of(scan._pointers),
                action: LfsPointer.Action);
        }

        scan._copied.Sort(static (a, b) => string.CompareOrdinal(a.RelativeName, b.RelativeName));
        scan._leftOut.Sort(StringComparer.Ordinal);
        return new SideFileList(scan._copied, scan._leftOut);
    }

    private void Walk(string folder, string prefix, int depth, bool takeWeights)
    {
        if (depth > FormatLimits.SideFileDepth)
            throw Limit(folder, $"more than {FormatLimits.SideFileDepth} folder levels below the model folder");
        foreach (string name in FolderListing.Names(folder))
        {
            string path = Path.Combine(folder, name);
            string relative = prefix + name;
            if (_ownFiles.Contains(relative)) continue;
            if (!FileStatus.TryGet(path, followLinks: true, out FileStatus status, out int errno))
            {
                if (SideFileRules.IsLeftOut(name)) _leftOut.Add(relative);
                else throw FileProbe.StatFailed(path, errno);
            }
            else if (status.Kind == FileKind.Folder)
            {
                Folder(path, name, relative, depth, takeWeights);
            }
            else
            {
                OneFile(path, name, relative, status, takeWeights);
            }
        }
    }

    private void Folder(string path, string name, string relative, int depth, bool takeWeights)
    {
        if (SideFileRules.IsForeignFolder(name))
        {
            _leftOut.Add(relative + "/");
            return;
        }

        if (FileProbe.LinkTarget(path) is not null)
        {
            // A folder inside is walked where it really is; walking its link as well could go round in circles.
            if (_links.StaysInside(path))
            {
                _leftOut.Add(relative + "/");
                return;
            }

            if (!_followLinks) throw LinkRule.Error(path);
        }

        bool isModule = takeWeights || (depth == 0 && SideFileRules.IsModuleFolder(name));
        if (!isModule && HoldsOtherWeights(path, relative)) _leftOut.Add(relative + "/");
        else Walk(path, relative + "/", depth + 1, isModule);
    }

    private void OneFile(string path, string name, string relative, FileStatus status, bool takeWeights)
    {
        bool isWanted = !SideFileRules.IsLeftOut(name) || (takeWeights && SideFileRules.IsWeights(name));
        if (!isWanted)
        {
            _leftOut.Add(relative);
            return;
        }

        // A pipe would hang whoever reads it, and a model without one of its files is no copy of it.
        if (status.Kind != FileKind.Regular) throw FileProbe.NotRegular(path, status);

        if (!_followLinks && !_links.StaysInside(path)) throw LinkRule.Error(path);
        if (_copied.Count == FormatLimits.SideFiles)
            throw Limit(_root, $"more than {FormatLimits.SideFiles} files beside the weights");
        using PositionedFile file = PositionedFile.Open(path);
        if (file.Length <= FormatLimits.LfsPointerBytes)
        {
            byte[] content = new byte[(int)file.Length];
            file.Read(0, content);
            if (LfsPointer.TryParse(content) is { } pointer)
            {
                if (SideFileRules.IsMedia(name)) _leftOut.Add(relative);
                else _pointers.Add((DisplayText.Escape(relative), $"{DisplayText.Bytes(file.Length)}, {pointer.SizeText}"));
                return;
            }
        }

        _copied.Add(new SideFile(path, relative, file.Length));
    }

    /// <summary>A subfolder with weights of its own is another model, or a training checkpoint of this one.</summary>
    private bool HoldsOtherWeights(string folder, string relative) => FolderListing.Names(folder).Any(name =>
        SideFileRules.IsWeights(name) && !_ownFiles.Contains($"{relative}/{name}"));

    private static CheckpointFormatException Limit(string folder, string what) => new(
        FormatError.SideFileLimit, what, folder, action: "give the folder of one model");
}
