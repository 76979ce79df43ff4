using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Tensors;
using Bnb.Formats.Torch;

namespace Bnb.Formats.Checkpoints;

/// <summary>Reads the headers of a checkpoint's files and reports all that are unusable in one error.</summary>
internal static class WeightFiles
{
    /// <summary>Reads what one file says about its tensors; which format it has, its name decides.</summary>
    public static CheckpointFile OpenOne(string path, string name)
    {
        bool isTorch = WeightForm.IsTorch(name);
        // Before opening: what claims to be a regular file of length 0 may still never end.
        if (FileProbe.RequireRegular(path).Identity.Length == 0 && !isTorch) _ = SafetensorsFile.ReadHeader(path);
        using PositionedFile file = PositionedFile.Open(path);
        return isTorch
            ? new CheckpointFile(path, name, file.Identity, TorchFile.Read(file))
            : new CheckpointFile(path, name, file.Identity, SafetensorsFile.ReadHeader(file));
    }

    /// <summary>Reads every file's header; a single failure is thrown as it is, several become one error that lists
    /// them.</summary>
    public static IReadOnlyList<CheckpointFile> Open(string folder, IReadOnlyList<string> names)
    {
        List<CheckpointFile> files = [];
        List<(string Name, CheckpointFormatException Error)> failed = [];
        foreach (string name in names)
        {
            try
            {
                files.Add(OpenOne(Path.Combine(folder, name), name));
            }
            catch (CheckpointFormatException error)
            {
                failed.Add((name, error));
            }
        }

        if (failed.Count == 0) return files;
        throw failed.Count == 1 ? failed[0].Error : Together(folder, names.Count, failed);
    }

    private static CheckpointFormatException Together(
        string folder, int count, List<(string Name, CheckpointFormatException Error)> failed)
    {
        // The commonest trouble leads: it decides the code and what to do.
        CheckpointFormatException first = failed.GroupBy(item => item.Error.Error).MaxBy(group => group.Count())!.First().Error;
        bool isOneKind = failed.All(item => item.Error.Error == first.Error);
        string what = first.Error switch
        {
            FormatError.FileIsLfsPointer when isOneKind => "are Git LFS pointers; the weights were not downloaded",
            FormatError.FileMissing when isOneKind => "are missing",
            FormatError.SafetensorsTruncated when isOneKind => "are shorter than their headers say",
            _ => "cannot be used",
        };
        return new CheckpointFormatException(
            first.Error,
            $"{failed.Count} of {count} weight files {what}",
            folder,
            facts: ItemList.Of([.. failed.Select(item => (DisplayText.Escape(item.Name), Line(item.Error)))]),
            action: first.Error == FormatError.FileIsLfsPointer ? first.Action : "download these files again",
            inner: first);
    }

    private static string Line(CheckpointFormatException error)
    {
        string facts = string.Join(
            ", ", error.Facts.Take(2).Select(fact => fact.Label == "size" ? fact.Value : $"{fact.Label} {fact.Value}"));
        return facts.Length > 0 ? $"[{error.Error.Code()}] {facts}" : $"[{error.Error.Code()}]";
    }
}
