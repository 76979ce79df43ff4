using Bnb.Formats.IO;
using Bnb.Formats.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// What a PyTorch file holds, after every rule was checked: names are unique, each tensor lies inside its storage, each
/// storage inside the file.
/// </summary>
internal sealed class TorchFile
{
    private TorchFile(IReadOnlyList<TorchTensor> tensors, IReadOnlyList<string> notes)
    {
        Tensors = tensors;
        Notes = notes;
    }

    /// <summary>
    /// The tensors in the order in which the safetensors library would write them (widest dtype first, then by name), so
    /// that whatever follows from an order is as if the file had been converted before.
    /// </summary>
    public IReadOnlyList<TorchTensor> Tensors { get; }

    /// <summary>What is odd but no error; texts from the file are escaped.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>
    /// Reads everything but the storages: the archive's directory or the order of the stream, and the pickles, none of which
    /// is ever executed.
    /// </summary>
    /// <exception cref="CheckpointFormatException">A FILE code when it is something else; else a PT code.</exception>
    /// <exception cref="IOException">The device reported an error.</exception>
    public static TorchFile Read(IByteSource source)
    {
        var errors = new TorchErrors(source.Path);
        byte[] head = new byte[(int)Math.Min(source.Length, FormatLimits.LfsPointerBytes)];
        source.Read(0, head);
        RequireTorch(source, head, errors);
        (PickleValue top, Func<PickleStorage, StoredRange> find, IReadOnlyList<string> notes) =
            head[0] == PickleOpcodes.Proto ? TorchStream.Read(source, errors) : TorchArchive.Read(source, errors);

        StateDict state = StateDict.Find(top, errors);
        var layout = new TorchLayout(source.Length, find, errors);
        List<TorchTensor> tensors = [.. state.Tensors.Select(item => layout.Check(item.Name, item.Tensor))];
        tensors.Sort(static (a, b) => a.Info.DType != b.Info.DType
            ? b.Info.DType.CompareTo(a.Info.DType)
            : PythonJson.CompareKeys(a.Info.Name, b.Info.Name));
        return new TorchFile(tensors, [.. notes, .. state.Notes]);
    }

    private static void RequireTorch(IByteSource source, ReadOnlySpan<byte> head, TorchErrors errors)
    {
        if (source.Length <= FormatLimits.LfsPointerBytes) LfsPointer.ThrowIfPointer(head, source.Path);
        if (head.StartsWith("PK\u0003\u0004"u8) || head.StartsWith("PK\u0005\u0006"u8)) return;
        if (head.Length > 0 && head[0] == PickleOpcodes.Proto) return;
        if (FileMagic.IsSafetensors(head, source.Length))
        {
            throw new CheckpointFormatException(
                FormatError.FileIsSomethingElse,
                $"{FileProbe.ShortName(source.Path)} is a safetensors file with a PyTorch name",
                source.Path,
                facts: [("size", DisplayText.Bytes(source.Length))],
                action: "rename it to end with .safetensors");
        }

        if (head.Length > 262 && head[257..].StartsWith("ustar"u8))
            throw errors.Unsupported("has the form that PyTorch wrote before version 0.2, a tar archive");
        if ((FileMagic.DescribeBinary(head) ?? FileMagic.DescribeText(head)) is { } what)
            throw FileMagic.Error(source.Path, source.Length, what, head, "a PyTorch");
        throw errors.Damaged(
            FormatError.TorchContainer,
            "is neither a zip archive nor a pickle, the two forms of PyTorch files",
            ("size", DisplayText.Bytes(source.Length)),
            ("starts with", DisplayText.Escape(head, 60)));
    }
}
