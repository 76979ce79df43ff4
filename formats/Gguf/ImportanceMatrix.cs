using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Gguf;

/// <summary>
/// llama.cpp's importance matrix: the mean square of every input channel of every matrix product, by ggml's name of the weight.
/// Read from GGUF (tensors <c>NAME.in_sum2</c> and <c>NAME.counts</c>; other suffixes are ignored) and from the older .dat
/// form, with or without its tail. Source: llama.cpp tools/imatrix/imatrix.cpp, tools/quantize/quantize.cpp.
/// </summary>
public sealed class ImportanceMatrix
{
    private const string Sums = ".in_sum2";
    private const string Counts = ".counts";
    private const int LongestFile = 1 << 30;
    private const int MostEntries = 1 << 20;

    private readonly string _path;
    private readonly Dictionary<string, float[][]> _entries;

    private ImportanceMatrix(string path, Dictionary<string, float[][]> entries)
    {
        _path = path;
        _entries = entries;
    }

    /// <summary>ggml's names of the weights.</summary>
    public IReadOnlyCollection<string> Names => _entries.Keys;

    /// <summary>Reads a file of either form.</summary>
    /// <exception cref="CheckpointFormatException">It cannot be read (FILE-...), or IMX-LAYOUT: it breaks its format.</exception>
    public static ImportanceMatrix Read(string path)
    {
        using PositionedFile file = PositionedFile.Open(path);
        return Read(file);
    }

    /// <inheritdoc cref="Read(string)"/>
    internal static ImportanceMatrix Read(IByteSource file)
    {
        byte[] head = new byte[(int)Math.Min(file.Length, 4)];
        file.Read(0, head);
        return new ImportanceMatrix(file.Path, GgufHeader.IsGguf(head) ? ReadGguf(file) : ReadLegacy(file));
    }

    /// <summary>
    /// The mean squares of a weight by ggml's name: one array per matrix, one for each expert of an <c>_exps</c> weight, else one.
    /// Null when the file has none. In the .dat form the experts are not told apart: one array of all of them.
    /// </summary>
    public IReadOnlyList<float[]>? Find(string ggmlName) => _entries.GetValueOrDefault(ggmlName);

    /// <summary>
    /// The mean squares for a weight of a Hugging Face checkpoint: that of its ggml name, of its expert where it is one's.
    /// Null when the name is not known or the file has none.
    /// </summary>
    /// <param name="tensorName">As the checkpoint spells it, with <c>.weight</c>.</param>
    /// <param name="columns">Input channels of the weight.</param>
    /// <exception cref="CheckpointFormatException">IMX-LAYOUT: there is an entry and it has another number of channels.</exception>
    public float[]? For(string tensorName, long columns)
    {
        if (LlamaNames.Map(tensorName) is not { } name || Find(name.Name) is not { } matrices) return null;
        float[] found = matrices[0];
        if (matrices.Count == 1 && columns > 0 && found.Length > columns && found.Length % columns == 0 && name.Expert is { } flat && flat < found.Length / columns)
            return found[(int)(flat * columns)..(int)((flat + 1) * columns)];
        if (name.Expert is { } expert && matrices.Count > 1) found = expert < matrices.Count ? matrices[(int)expert] : [];
        if (found.Length == columns) return found;
        throw new CheckpointFormatException(
            FormatError.ImportanceLayout,
            $"the importance matrix is of another model: {DisplayText.Escape(name.Name)} has {found.Length} channels, {DisplayText.Escape(tensorName)} has {columns}",
            _path,
            tensorName,
            facts: [("found", $"{found.Length}"), ("expected", $"{columns}")],
            action: "give the importance matrix that was made of this model");
    }

    private static Dictionary<string, float[][]> ReadGguf(IByteSource file)
    {
        GgufHeader header = GgufHeader.Read(file);
        var byName = new Dictionary<string, GgufTensor>(StringComparer.Ordinal);
        foreach (GgufTensor tensor in header.Tensors)
        {
            if (!byName.TryAdd(tensor.Name, tensor)) throw Broken(file, $"has {DisplayText.Escape(tensor.Name)} twice");
        }

        var entries = new Dictionary<string, float[][]>(StringComparer.Ordinal);
        foreach ((string key, GgufTensor sums) in byName)
        {
            if (!key.EndsWith(Sums, StringComparison.Ordinal)) continue;
            string name = key[..^Sums.Length];
            if (!byName.TryGetValue(name + Counts, out GgufTensor? counts)) throw Broken(file, $"has no {DisplayText.Escape(name + Counts)}");
            long channels = sums.Dimensions.Count > 0 ? sums.Dimensions[0] : 0, matrices = channels == 0 ? 0 : sums.ElementCount / channels;
            if (sums.Type != GgufTensor.Float32 || counts.Type != GgufTensor.Float32 || matrices == 0 || counts.ElementCount != matrices)
            {
                throw Broken(file, $"has {DisplayText.Escape(key)} that is not float32 [channels, matrices] with a count for each matrix");
            }

            entries.Add(name, Means(Values(file, sums), Values(file, counts), file, key));
        }

        return entries.Count > 0 ? entries : throw Broken(file, "is a GGUF file without an importance matrix");
    }

    private static float[][] Means(float[] sums, float[] counts, IByteSource file, string key)
    {
        int channels = sums.Length / counts.Length;
        var means = new float[counts.Length][];
        for (int matrix = 0; matrix < counts.Length; matrix++)
        {
            means[matrix] = sums[(matrix * channels)..((matrix + 1) * channels)];
            for (int i = 0; i < channels; i++)
            {
                // A matrix that was never used tells nothing: every channel alike.
                ref float mean = ref means[matrix][i];
                mean = counts[matrix] > 0 ? mean / counts[matrix] : 1f;
                if (!(mean >= 0 && mean < float.PositiveInfinity)) throw Broken(file, $"has a value in {DisplayText.Escape(key)} that is no mean square");
            }
        }

        return means;
    }

    private static float[] Values(IByteSource file, GgufTensor tensor)
    {
        if (tensor.ElementCount > LongestFile / sizeof(float)) throw Broken(file, $"has {DisplayText.Escape(tensor.Name)} that is too large");
        byte[] bytes = new byte[(int)tensor.ElementCount * sizeof(float)];
        file.Read(tensor.Offset, bytes);
        return new ByteReader(file.Path, bytes).Singles((int)tensor.ElementCount);
    }

    private static Dictionary<string, float[][]> ReadLegacy(IByteSource file)
    {
        if (file.Length > LongestFile) throw Broken(file, "is too large for an importance matrix");
        byte[] bytes = new byte[(int)file.Length];
        file.Read(0, bytes);
        var reader = new ByteReader(file.Path, bytes);
        int count = reader.Int32();
        if (count is < 1 or > MostEntries) throw reader.Error("is no importance matrix", ("found", $"{count} entries"));
        var entries = new Dictionary<string, float[][]>(StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            string name = reader.Text(reader.Int32());
            int calls = reader.Int32(), length = reader.Int32();
            if (length < 1 || length > reader.Left / sizeof(float)) throw reader.Error("ends too early", ("entry", DisplayText.Escape(name)), ("values", $"{length}"));
            float[] values = reader.Singles(length);
            foreach (ref float value in values.AsSpan())
            {
                if (calls > 0) value /= calls;
                if (!(value >= 0 && value < float.PositiveInfinity)) throw reader.Error("has a value that is no mean square", ("entry", DisplayText.Escape(name)));
            }

            if (!entries.TryAdd(name, [values])) throw reader.Error("has an entry twice", ("entry", DisplayText.Escape(name)));
        }

        return entries;
    }

    private static CheckpointFormatException Broken(IByteSource file, string what) => new(
        FormatError.ImportanceLayout,
        $"{DisplayText.Escape(Path.GetFileName(file.Path))} {what}",
        file.Path,
        action: "give an importance matrix that llama-imatrix wrote, or a safetensors file of one vector per weight");
}
