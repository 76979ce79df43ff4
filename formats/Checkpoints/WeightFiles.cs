using System.Runtime.ExceptionServices;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Tensors;
using Bnb.Formats.Torch;

namespace Bnb.Formats.Checkpoints;

/// <summary>Reads the headers of a checkpoint's files and reports all that are unusable in one error.</summary>
internal static class WeightFiles
{
    private const int FewTensors = 1 << 11;

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
        var files = new CheckpointFile[names.Count];
        var errors = new Exception?[names.Count];
        for (int i = 0; i < names.Count; i++)
        {
            Try(i);
            if (i > 0 || files[0] is not { } first || first.Tensors.Count < FewTensors) continue;
            TryOthers(names.Count, Try);
            break;
        }

        List<(string Name, CheckpointFormatException Error)> failed = [];
        for (int i = 0; i < errors.Length; i++)
        {
            if (errors[i] is CheckpointFormatException error) failed.Add((names[i], error));
            else if (errors[i] is { } other) ExceptionDispatchInfo.Throw(other);
        }

        if (failed.Count == 0) return files;
        throw failed.Count == 1 ? failed[0].Error : Together(folder, names.Count, failed);

        void Try(int i)
        {
            try
            {
                files[i] = OpenOne(Path.Combine(folder, names[i]), names[i]);
            }
            catch (Exception error)
            {
                // Whatever it is, the caller's thread throws it.
                errors[i] = error;
            }
        }
    }

    // Headers of very many tensors are worth a second core; a third would hold more of them in memory at once.
    private static void TryOthers(int count, Action<int> attempt) =>
        Parallel.For(1, count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, attempt);

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
