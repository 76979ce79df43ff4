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
        Loader[] loaders = section == AtlasSection.Diffusers ? [Loader.Diffusers] : Versions(root);
        var conv1D = Strings(root, "conv1d").ToHashSet(StringComparer.Ordinal);
        var renamed = new Dictionary<string, string>[loaders.Length];
        for (int i = 0; i < renamed.Length; i++) renamed[i] = Texts(root, "renamed", loaders[i]);
        Dictionary<string, SavedTensor> tensors = new(StringComparer.Ordinal);
        foreach (JsonProperty group in root.GetProperty("tensors").EnumerateObject())
        {
            var kinds = new LayerKind[group.Name.Length];
            for (int i = 0; i < kinds.Length; i++) kinds[i] = Kind(group.Name[i]);
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
            TiedModules = Ties(root),
            RebuiltModules = [.. Strings(root, "converted5").Select(static name => name[..^".weight".Length])],
            KeptInFloat32 = Kept(root, loaders),
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

    private static Loader[] Versions(JsonElement root)
    {
        string digits = root.GetProperty("versions").GetString()!;
        var versions = new Loader[digits.Length];
        for (int i = 0; i < versions.Length; i++) versions[i] = digits[i] == '4' ? Loader.Transformers4 : Loader.Transformers5;
        return versions;
    }

    private static List<string>[] Kept(JsonElement root, Loader[] loaders)
    {
        var kept = new List<string>[loaders.Length];
        for (int i = 0; i < kept.Length; i++) kept[i] = Strings(root, "keep_fp32" + Suffix(loaders[i]));
        return kept;
    }

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

    private static List<TiedModule> Ties(JsonElement root)
    {
        var all = new List<TiedModule>();
        if (!root.TryGetProperty("tied", out JsonElement pairs)) return all;
        foreach (JsonElement pair in pairs.EnumerateArray())
            all.Add(new TiedModule(pair[0].GetString()!, pair.GetArrayLength() > 1 ? pair[1].GetString() : null));
        return all;
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
