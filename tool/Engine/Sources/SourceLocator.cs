using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Sources;

/// <summary>
/// Finds what a user means by SOURCE: a path, a model of the local Hugging Face cache by its id, its address or its cache folder,
/// or a file that belongs to a checkpoint. Looks at the file system only. What cannot be used is refused with the command that
/// would help.
/// </summary>
/// <param name="cache">Where downloaded models are.</param>
internal sealed class SourceLocator(HuggingFaceCache cache)
{
    /// <summary>With the cache that the environment names.</summary>
    public static SourceLocator FromEnvironment() => new(HuggingFaceCache.Default(Environment.GetEnvironmentVariable));

    /// <summary>Finds a checkpoint, or a part of one.</summary>
    /// <exception cref="UserErrorException">FILE-MISSING, SOURCE-URL or SOURCE-KIND: with the next command.</exception>
    /// <exception cref="CheckpointFormatException">The cache is damaged.</exception>
    public SourceLocation Locate(string text)
    {
        if (HubAddress.TryParse(text) is { } address) return InCache(address.Model, address.File);
        if (text.Contains("://", StringComparison.Ordinal)) throw SourceRefusals.Url(text);
        if (Path.Exists(text)) return OnDisk(text);
        // A path that is not there is what its name looks like: "org/name" is more likely a model than "a/b/c" is.
        bool isName = RepositoryName.TryParse(text, out RepositoryName? model);
        // A link that leads nowhere is there and has its own error.
        if ((!isName || !Directory.Exists(cache.FolderOf(model!))) && !IsLink(text) && MissingPath.Refusal(text, cache) is { } refusal) throw refusal;
        if (!isName) return new SourceLocation(text, null);
        bool isPlainWord = model!.Revision is null && !model.Id.Contains('/', StringComparison.Ordinal);
        if (isPlainWord && !Directory.Exists(cache.FolderOf(model))) return new SourceLocation(text, null);
        return InCache(model, null);
    }

    /// <summary>The same where a whole model is needed: one shard of several is refused, because a folder made from it loads
    /// nowhere.</summary>
    /// <exception cref="UserErrorException">Also SOURCE-SHARD.</exception>
    public SourceLocation LocateWhole(string text)
    {
        SourceLocation location = Locate(text);
        if (File.Exists(location.Path) && ShardName.CountOf(location.Path) > 1) throw SourceRefusals.OneShard(location.Path);
        return location;
    }

    private static bool IsLink(string path) => path.Length > 0 && !path.Contains('\0', StringComparison.Ordinal) && new FileInfo(path).LinkTarget is not null;

    private static SourceLocation OnDisk(string path)
    {
        string name = Path.GetFileName(path);
        if (File.Exists(path))
        {
            bool standsForFolder = name == "config.json" || name.EndsWith(".safetensors.index.json", StringComparison.Ordinal);
            if (standsForFolder) path = Path.GetDirectoryName(path) is { Length: > 0 } folder ? folder : ".";
            else if (SourceRefusals.OtherKind(path) is { } refusal) throw refusal;
        }
        else if (HuggingFaceCache.IsModelFolder(path))
        {
            RepositoryName model = HuggingFaceCache.ModelOf(path)!;
            string snapshot = HuggingFaceCache.Snapshot(path, revision: null) ?? throw SourceRefusals.ManySnapshots(model, path);
            return new SourceLocation(snapshot, HuggingFaceCache.ModelOf(snapshot));
        }

        else if (SourceRefusals.WholeCache(path) is { } refusal)
        {
            throw refusal;
        }

        return new SourceLocation(path, HuggingFaceCache.ModelOf(path));
    }

    private SourceLocation InCache(RepositoryName model, string? file)
    {
        string snapshot = cache.Snapshot(model) ?? throw SourceRefusals.NotInCache(model, cache);
        string path = file is null ? snapshot : Path.Combine(snapshot, file);
        if (file is not null && !Path.Exists(path)) throw SourceRefusals.NotInSnapshot(model, file, snapshot);
        if (file is null && !HoldsWeights(snapshot)) throw SourceRefusals.WithoutWeights(model, snapshot);
        return file is null ? new SourceLocation(path, HuggingFaceCache.ModelOf(snapshot)) : OnDisk(path);
    }

    /// <summary>Looking up a model's config, as many programs do, leaves a snapshot without weights. One level down is enough:
    /// the components of a pipeline.</summary>
    private static bool HoldsWeights(string snapshot) =>
        AnyWeights(snapshot) || Directory.EnumerateDirectories(snapshot).Take(FormatLimits.FolderEntries).Any(AnyWeights);

    private static bool AnyWeights(string folder) =>
        Directory.EnumerateFiles(folder).Take(FormatLimits.FolderEntries).Any(path => SideFileRules.IsWeights(Path.GetFileName(path)));
}
