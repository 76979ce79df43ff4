using System.Globalization;

namespace Bnb.Engine.Architectures;

/// <summary>
/// What the libraries really build, class by class: facts taken from transformers 4 and 5, diffusers and vLLM themselves,
/// see the atlas generator. Classes are read when they are asked for; a run touches a few dozen kilobytes.
/// </summary>
internal sealed class Atlas
{
    private static readonly Lazy<Atlas> LazyEmbedded = new(static () => new Atlas(AtlasFile.OpenEmbedded()));
    private readonly Lock _gate = new();
    private readonly AtlasFile _file;
    private readonly Dictionary<string, Place>[] _places = PerSection<Place>();
    private readonly Dictionary<string, List<string>> _classesOfType = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ModelClass>[] _classes = PerSection<ModelClass>();
    private readonly Dictionary<string, VllmModel> _vllm = new(StringComparer.Ordinal);

    /// <summary>Reads the index.</summary>
    public Atlas(AtlasFile file)
    {
        _file = file;
        foreach (string line in file.Lines(0))
        {
            string[] fields = line.Split('\t');
            AtlasSection section = fields[0] switch
            {
                "t" => AtlasSection.Transformers,
                "d" => AtlasSection.Diffusers,
                _ => AtlasSection.Vllm,
            };
            _places[(int)section][fields[1]] = new Place(
                int.Parse(fields[3], CultureInfo.InvariantCulture), int.Parse(fields[4], CultureInfo.InvariantCulture));
            if (fields[2].Length == 0) continue;
            if (!_classesOfType.TryGetValue(fields[2], out List<string>? classes)) _classesOfType[fields[2]] = classes = [];
            classes.Add(fields[1]);
        }
    }

    /// <summary>The atlas of this program, opened at its first use.</summary>
    public static Atlas Embedded => LazyEmbedded.Value;

    /// <summary>The class of that name, or null.</summary>
    public ModelClass? Class(AtlasSection section, string name)
    {
        lock (_gate)
        {
            if (_classes[(int)section].TryGetValue(name, out ModelClass? known)) return known;
            if (section == AtlasSection.Vllm || Line(section, name) is not string line) return null;
            return _classes[(int)section][name] = AtlasRecord.ReadClass(section, line);
        }
    }

    /// <summary>transformers' classes of a <c>model_type</c>, ordinally sorted by name; empty when there is none.</summary>
    public IReadOnlyList<ModelClass> ClassesOf(string modelType) =>
        _classesOfType.TryGetValue(modelType, out List<string>? names)
            ? [.. names.Select(name => Class(AtlasSection.Transformers, name)!)]
            : [];

    /// <summary>vLLM's implementation of an architecture, or null.</summary>
    public VllmModel? Vllm(string architecture)
    {
        lock (_gate)
        {
            if (_vllm.TryGetValue(architecture, out VllmModel? known)) return known;
            return Line(AtlasSection.Vllm, architecture) is string line ? _vllm[architecture] = AtlasRecord.ReadVllm(line) : null;
        }
    }

    /// <summary>All names of a section, ordinally sorted.</summary>
    public IEnumerable<string> Names(AtlasSection section) => _places[(int)section].Keys.Order(StringComparer.Ordinal);

    private string? Line(AtlasSection section, string name) =>
        _places[(int)section].TryGetValue(name, out Place? place) ? _file.Lines(place.Block)[place.Line] : null;

    private static Dictionary<string, T>[] PerSection<T>()
        where T : class
    {
        var all = new Dictionary<string, T>[(int)AtlasSection.Vllm + 1];
        for (int i = 0; i < all.Length; i++) all[i] = new Dictionary<string, T>(StringComparer.Ordinal);
        return all;
    }

    /// <summary>Where a class is described.</summary>
    private sealed record Place(int Block, int Line);
}
