using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;

namespace Bnb.Engine.Quantizing;

/// <summary>Opens the source of a request that is one model.</summary>
internal static class RequestSource
{
    /// <summary>The model's files; a folder must have a config.json.</summary>
    /// <exception cref="UserErrorException">USAGE: an option is for a source of another kind.</exception>
    public static Checkpoint Open(QuantizeRequest request)
    {
        bool isFolder = Directory.Exists(request.SourcePath);
        if (request.Variant is not null && !isFolder && File.Exists(request.SourcePath)) throw Refuse("--variant chooses among the files of a folder", request);
        if (request.Components.Count > 0 && Path.Exists(request.SourcePath)) throw Refuse("--components needs a pipeline, a folder with model_index.json", request);
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: false, request.FollowSymlinks, request.Variant);
        // Who gave an adapter needs no config.json.
        AdapterFolder.RefuseFactors(source);
        return isFolder && source.Config is null ? Checkpoint.Open(request.SourcePath, requireConfig: true, request.FollowSymlinks, request.Variant) : source;
    }

    private static UserErrorException Refuse(string what, QuantizeRequest request) => new(ExitCode.Usage, "USAGE", what)
    {
        File = request.SourcePath,
        Action = "leave the option out",
    };
}
