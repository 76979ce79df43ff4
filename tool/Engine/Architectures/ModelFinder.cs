namespace Bnb.Engine.Architectures;

/// <summary>
/// Finds the classes of a checkpoint: the one its configuration names; one of the same model type that has its names, when
/// the named one is unknown or has others; or known models inside an unknown one.
/// </summary>
internal static class ModelFinder
{
    // A part that explains fewer tensors than this may be a coincidence of names.
    private const int FewestMatches = 3;
    private const int DeepestPrefix = 6;

    /// <summary>Looks the model up.</summary>
    /// <param name="identity">What the configuration says.</param>
    /// <param name="tensors">Names of the checkpoint's tensors of two dimensions and more.</param>
    public static KnownModel Find(Atlas atlas, ModelIdentity identity, IEnumerable<string> tensors)
    {
        HashSet<string> patterns = Patterns(tensors);
        VllmModel? vllm = identity.Architectures.Select(atlas.Vllm).FirstOrDefault(static model => model is not null);
        ModelClass? named = Named(atlas, identity);
        if (named is not null && IsMostlyKnown(named, patterns)) return new KnownModel([new("", named)], vllm);

        if (named is not null && Shifted(named, patterns) is { } shifted) return new KnownModel([shifted], vllm);

        ModelClass? relative = Relatives(atlas, identity)
            .OrderByDescending(model => Matches(model, patterns))
            .ThenByDescending(static model => model.Generates)
            .ThenBy(static model => model.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        if (relative is not null && IsMostlyKnown(relative, patterns))
            return new KnownModel([new("", relative)], vllm);

        List<KnownPart> parts = [];
        if (named is not null && Matches(named, patterns) > 0) parts.Add(new("", named));
        foreach (ModelIdentity part in identity.Parts.SelectMany(Flatten))
            if (Inside(atlas, part, patterns) is { } inside && !parts.Exists(other => other.Prefix == inside.Prefix)) parts.Add(inside);

        return new KnownModel(parts, vllm);
    }

    private static HashSet<string> Patterns(IEnumerable<string> tensors)
    {
        HashSet<string> patterns = new(StringComparer.Ordinal);
        var spans = patterns.GetAlternateLookup<ReadOnlySpan<char>>();
        Span<char> buffer = stackalloc char[NumberedName.MostOnStack];
        foreach (string name in tensors) spans.Add(NumberedName.Pattern(name, buffer));
        return patterns;
    }

    private static ModelClass? Named(Atlas atlas, ModelIdentity identity)
    {
        if (identity.DiffusersClass is string name && atlas.Class(AtlasSection.Diffusers, name) is { } model) return model;
        return identity.Architectures.Select(architecture => atlas.Class(AtlasSection.Transformers, architecture))
            .FirstOrDefault(static found => found is not null);
    }

    // A reward model or a fork names the model it is made of: LlavaLlamaForCausalLM, Qwen2ForProcessRewardModel.
    private static IEnumerable<ModelClass> Relatives(Atlas atlas, ModelIdentity identity)
    {
        IReadOnlyList<ModelClass> ofType = identity.ModelType is null ? [] : atlas.ClassesOf(identity.ModelType);
        return ofType.Count > 0 ? ofType : identity.Architectures.SelectMany(name => Bases(atlas, name));
    }

    private static IEnumerable<ModelClass> Bases(Atlas atlas, string architecture)
    {
        int end = architecture.IndexOf("For", StringComparison.Ordinal);
        string stem = end > 0 ? architecture[..end] : architecture;
        for (int start = 0; start < stem.Length; start++)
        {
            if (!char.IsUpper(stem[start])) continue;
            foreach (string task in (string[])["ForCausalLM", "ForConditionalGeneration", "Model"])
                if (atlas.Class(AtlasSection.Transformers, stem[start..] + task) is { } model) yield return model;
        }
    }

    private static KnownPart? Inside(Atlas atlas, ModelIdentity part, HashSet<string> patterns)
    {
        IEnumerable<ModelClass> classes = Named(atlas, part) is { } named ? [named] : [];
        if (part.ModelType is not null) classes = classes.Concat(atlas.ClassesOf(part.ModelType));
        KnownPart? best = null;
        int most = FewestMatches - 1;
        foreach (ModelClass model in classes)
        {
            Dictionary<string, int> matches = new(StringComparer.Ordinal);
            foreach (string pattern in patterns)
                foreach (string prefix in Prefixes(pattern))
                    if (model.Find(pattern[prefix.Length..]) is not null) matches[prefix] = matches.GetValueOrDefault(prefix) + 1;

            foreach ((string prefix, int count) in matches.OrderBy(static match => match.Key, StringComparer.Ordinal))
            {
                if (count <= most) continue;
                most = count;
                best = new KnownPart(prefix, model);
            }
        }

        return best;
    }

    private static IEnumerable<string> Prefixes(string pattern)
    {
        yield return "";
        int dot = -1;
        for (int depth = 0; depth < DeepestPrefix; depth++)
        {
            dot = pattern.IndexOf('.', dot + 1);
            if (dot < 0) yield break;
            yield return pattern[..(dot + 1)];
        }
    }

    private static IEnumerable<ModelIdentity> Flatten(ModelIdentity identity) => identity.Parts.SelectMany(Flatten).Prepend(identity);

    // Loaders take a bare model's file for a whole one and the other way round: encoder.layer… for bert.encoder.layer….
    private static KnownPart? Shifted(ModelClass model, HashSet<string> patterns)
    {
        IEnumerable<string> firsts = model.Tensors.Select(static tensor => FirstComponent(tensor.Key)).Distinct(StringComparer.Ordinal);
        IEnumerable<KnownPart> candidates =
        [
            .. firsts.Select(first => new KnownPart("", model) { Added = first }),
            .. patterns.Select(FirstComponent).Distinct(StringComparer.Ordinal).Select(first => new KnownPart(first, model) { MemoryPrefix = "" }),
        ];
        return candidates
            .Select(part => (Part: part, Count: patterns.Count(pattern => part.OwnName(pattern) is string own && model.Find(own) is not null)))
            .Where(item => 2 * item.Count >= patterns.Count && item.Count > 0)
            .OrderByDescending(static item => item.Count).ThenBy(static item => item.Part.Prefix + item.Part.Added, StringComparer.Ordinal)
            .FirstOrDefault().Part;
    }

    private static string FirstComponent(string name)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 ? name : name[..(dot + 1)];
    }

    private static bool IsMostlyKnown(ModelClass model, HashSet<string> patterns) => 2 * Matches(model, patterns) >= patterns.Count && patterns.Count > 0;

    private static int Matches(ModelClass model, HashSet<string> patterns) => patterns.Count(pattern => model.Find(pattern) is not null);
}
