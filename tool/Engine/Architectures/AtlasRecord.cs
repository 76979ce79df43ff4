using System.Text.Json;

namespace Bnb.Engine.Architectures;

/// <summary>Reads one line of the atlas. The data are this program's own, so that a surprise is a bug and not a refusal.</summary>
internal static class AtlasRecord
{
    /// <summary>A class of transformers or diffusers.</summary>
    public static ModelClass ReadClass(AtlasSection section, string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement root = document.RootElement;
        IReadOnlyList<Loader> loaders = section == AtlasSection.Diffusers ? [Loader.Diffusers] : Versions(root);
        var conv1D = Strings(root, "conv1d").ToHashSet(StringComparer.Ordinal);
        IReadOnlyList<IReadOnlyDictionary<string, string>> renamed = [.. loaders.Select(loader => Texts(root, "renamed", loader))];
        Dictionary<string, SavedTensor> tensors = new(StringComparer.Ordinal);
        foreach (JsonProperty group in root.GetProperty("tensors").EnumerateObject())
        {
            LayerKind[] kinds = Array.ConvertAll(group.Name.ToCharArray(), Kind);
            foreach (string name in Strings(group.Value))
                tensors[name] = new SavedTensor(name, kinds, [.. renamed.Select(names => names.GetValueOrDefault(name))], conv1D.Contains(name));
        }

        return new ModelClass(
            root.GetProperty("cls").GetString()!,
            root.TryGetProperty("model_type", out JsonElement type) ? type.GetString() : null,
            loaders,
            tensors)
        {
            Generates = root.TryGetProperty("generates", out JsonElement generates) && generates.GetBoolean(),
            LanguageModules = Strings(root, "language"),
            TiedModules = [.. Ties(root)],
            RebuiltModules = [.. Strings(root, "converted5").Select(static name => name[..^".weight".Length])],
            KeptInFloat32 = loaders.ToDictionary(
                static loader => loader, loader => (IReadOnlyList<string>)Strings(root, "keep_fp32" + Suffix(loader))),
        };
    }

    /// <summary>An architecture of vLLM.</summary>
    public static VllmModel ReadVllm(string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement root = document.RootElement;
        return new VllmModel(
            root.GetProperty("arch").GetString()!,
            Groups(root),
            Pairs(root, "substr"),
            Pairs(root, "prefix"),
            Pairs(root, "suffix"),
            root.GetProperty("bnb").GetBoolean(),
            root.TryGetProperty("why", out JsonElement why) ? why.GetString() : null);
    }

    private static IReadOnlyList<Loader> Versions(JsonElement root) =>
        [.. root.GetProperty("versions").GetString()!.Select(static digit => digit == '4' ? Loader.Transformers4 : Loader.Transformers5)];

    private static string Suffix(Loader loader) => loader switch
    {
        Loader.Transformers4 => "4",
        Loader.Transformers5 => "5",
        _ => "",
    };

    private static LayerKind Kind(char code) => code switch
    {
        'q' => LayerKind.Linear,
        'h' => LayerKind.Kept,
        's' => LayerKind.Subclass,
        'e' => LayerKind.Expert,
        'c' => LayerKind.Rebuilt,
        'o' => LayerKind.NotLinear,
        '-' => LayerKind.Absent,
        _ => throw new InvalidDataException($"the atlas has a kind of layer that this program does not know: {code}"),
    };

    // Loops: queries over what JsonDocument enumerates are compiled anew in every process, which costs more than reading does.
    private static Dictionary<string, string> Texts(JsonElement root, string member, Loader loader)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!root.TryGetProperty(member + Suffix(loader), out JsonElement names)) return texts;
        foreach (JsonProperty name in names.EnumerateObject()) texts[name.Name] = name.Value.GetString()!;
        return texts;
    }

    private static List<KeyValuePair<string, string?>> Pairs(JsonElement root, string member)
    {
        if (!root.TryGetProperty(member, out JsonElement pairs)) return [];
        var all = new List<KeyValuePair<string, string?>>();
        foreach (JsonProperty pair in pairs.EnumerateObject()) all.Add(KeyValuePair.Create(pair.Name, pair.Value.GetString()));
        return all;
    }

    private static List<FusedGroup> Groups(JsonElement root)
    {
        var all = new List<FusedGroup>();
        if (!root.TryGetProperty("groups", out JsonElement groups)) return all;
        foreach (JsonProperty group in groups.EnumerateObject()) all.Add(new FusedGroup(group.Name, Strings(group.Value)));
        return all;
    }

    private static IEnumerable<(string Module, string? Source)> Ties(JsonElement root)
    {
        if (!root.TryGetProperty("tied", out JsonElement pairs)) yield break;
        foreach (JsonElement pair in pairs.EnumerateArray())
            yield return (pair[0].GetString()!, pair.GetArrayLength() > 1 ? pair[1].GetString() : null);
    }

    private static List<string> Strings(JsonElement root, string member) =>
        root.TryGetProperty(member, out JsonElement list) ? Strings(list) : [];

    private static List<string> Strings(JsonElement list)
    {
        var all = new List<string>(list.GetArrayLength());
        foreach (JsonElement text in list.EnumerateArray()) all.Add(text.GetString()!);
        return all;
    }
}
