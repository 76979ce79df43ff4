using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>
/// What a safetensors header says, after every rule was checked: the tensors tile the data section without gap or overlap,
/// each range is shape times dtype, names are unique, and the file is exactly as long as header and tensors need.
/// </summary>
public sealed class SafetensorsHeader
{
    internal SafetensorsHeader(IReadOnlyList<TensorInfo> tensors, IReadOnlyDictionary<string, string> metadata, long dataStart)
    {
        Tensors = tensors;
        Metadata = metadata;
        DataStart = dataStart;
    }

    /// <summary>The tensors in the order of their data; tensors without data come before the one at the same offset.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>The <c>__metadata__</c> map; empty when absent or null.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>File offset of the data section: 8 plus the header's length. Not aligned to anything.</summary>
    public long DataStart { get; }

    /// <summary>
    /// Reads and checks the JSON of a header. Pure: touches no file. Accepts what the reference implementation accepts,
    /// less duplicate keys, spellings its JSON library lets in by accident, and dimensions over 2^63-1.
    /// </summary>
    /// <param name="json">The header without its 8-byte length prefix, padding included.</param>
    /// <param name="fileLength">Bytes of the whole file: prefix, header and data.</param>
    /// <param name="file">Path for messages.</param>
    /// <exception cref="CheckpointFormatException">A rule is broken; the error has an ST code.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long fileLength, string file)
    {
        HeaderErrors errors = new(file);
        (List<TensorInfo> tensors, Dictionary<string, string> metadata) = HeaderJson.Read(json, errors);
        tensors.Sort(static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        HeaderLayout.Check(tensors, json.Length + 8L, fileLength, errors);
        return new SafetensorsHeader(tensors, metadata, json.Length + 8L);
    }
}
