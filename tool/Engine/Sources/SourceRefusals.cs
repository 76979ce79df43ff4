using System.Globalization;
using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Sources;

/// <summary>What is said of a SOURCE that cannot be used, each with the command that comes next.</summary>
internal static class SourceRefusals
{
    /// <summary>An address that is no model of the hub, or of another service.</summary>
    public static UserErrorException Url(string text) => new(
        ExitCode.InputMissing, "SOURCE-URL", "this is an address, and this tool reads local files only")
    {
        Facts = [("address", text)],
        Action = NextCommand(text),
    };

    /// <summary>A folder of many models, as the cache itself is; null for any other.</summary>
    public static UserErrorException? WholeCache(string folder)
    {
        string[] ids = [.. MissingPath.Entries(folder).Select(RepositoryName.IdOfFolder).OfType<string>().Order(StringComparer.Ordinal)];
        return ids.Length == 0 ? null : new UserErrorException(ExitCode.InputMissing, "FILE-MISSING", "this is a Hugging Face cache with all its models")
        {
            File = folder,
            Facts = [("models", ItemList.Names(ids))],
            Action = $"give the id of one, for example {ids[0]}",
        };
    }

    /// <summary>A model that was never downloaded, or not at this revision. Perhaps a path with a typing error: both are said.</summary>
    public static UserErrorException NotInCache(RepositoryName model, HuggingFaceCache cache)
    {
        IReadOnlyList<string> others = HuggingFaceCache.Revisions(cache.FolderOf(model));
        List<(string, string)> facts = [("cache", cache.FolderOf(model))];
        if (others.Count > 0) facts.Add(("has only", ItemList.Names(others)));
        return new UserErrorException(
            ExitCode.InputMissing,
            "FILE-MISSING",
            others.Count > 0
                ? $"{model.Id} is in the Hugging Face cache, but not its revision {model.RevisionOrMain}"
                : $"{model} is not there: no such path, and no model of this name in the Hugging Face cache")
        {
            Facts = facts,
            Action = $"{Download(model)}, then run the same command again; or correct the path",
        };
    }

    /// <summary>A snapshot that lacks a file which was asked for.</summary>
    public static UserErrorException NotInSnapshot(RepositoryName model, string file, string snapshot) => new(
        ExitCode.InputMissing, "FILE-MISSING", $"the Hugging Face cache has {model}, but not its {file}")
    {
        File = snapshot,
        Action = $"{Download(model)} {Quoted(file)}, then run the same command again",
    };

    /// <summary>A snapshot with a config and no weights.</summary>
    public static UserErrorException WithoutWeights(RepositoryName model, string snapshot) => new(
        ExitCode.InputMissing, "FILE-MISSING", $"the Hugging Face cache has {model}, but no weights of it")
    {
        File = snapshot,
        Action = $"{Download(model)}, then run the same command again",
    };

    /// <summary>A model's cache folder that does not say which of its snapshots is meant.</summary>
    public static UserErrorException ManySnapshots(RepositoryName model, string folder)
    {
        IReadOnlyList<string> revisions = HuggingFaceCache.Revisions(folder);
        return new UserErrorException(
            ExitCode.InputMissing, "FILE-MISSING", $"the cache folder of {model.Id} does not say which revision is meant")
        {
            File = folder,
            Facts = [("snapshots", revisions.Count == 0 ? "none" : ItemList.Names(revisions))],
            Action = revisions.Count == 0 ? $"{Download(model)}, then run the same command again" : $"give {model.Id}@{revisions[0]}, or another of them",
        };
    }

    /// <summary>One file of a model that is in several.</summary>
    public static UserErrorException OneShard(string path)
    {
        string folder = Path.GetDirectoryName(path) is { Length: > 0 } parent ? parent : ".";
        return new UserErrorException(
            ExitCode.InputUnsupported,
            "SOURCE-SHARD",
            string.Create(CultureInfo.InvariantCulture, $"this is one of the {ShardName.CountOf(path)} files of a model; a folder made from it alone would not load"))
        {
            File = path,
            Action = $"give the folder: {Quoted(folder)}",
        };
    }

    /// <summary>Files that people have and that hold no safetensors weights, by the ending; null for any other.</summary>
    public static UserErrorException? OtherKind(string path)
    {
        string name = Path.GetFileName(path);
        string folder = Path.GetFileNameWithoutExtension(name);
        string ending = name.Contains(".tar.", StringComparison.OrdinalIgnoreCase) ? ".tar" : Path.GetExtension(name).ToLowerInvariant();
        (string What, string Action)? kind = ending switch
        {
            ".zip" => ("a zip archive", $"unpack it: unzip {Quoted(path)} -d {Quoted(folder)}, then give {Quoted(folder)}"),
            ".tar" or ".tgz" => ("a packed archive", $"unpack it: tar -xf {Quoted(path)}, then give the folder"),
            ".gguf" => ("a GGUF file of llama.cpp, whose weights are in forms of its own",
                "give the safetensors files it was converted from: hf download ORG/NAME --include '*.safetensors' '*.json'"),
            ".onnx" => ("an ONNX graph, whose weights are no checkpoint", "give the checkpoint that it was exported from"),
            ".h5" or ".msgpack" or ".ot" or ".tflite" or ".mlmodel" or ".nemo" =>
                ("weights of another framework", "download the safetensors files of the same model: hf download ORG/NAME --include '*.safetensors' '*.json'"),
            ".json" or ".txt" or ".md" or ".model" or ".jinja" => ("a file beside the weights", $"give the folder: {Quoted(Path.GetDirectoryName(path) is { Length: > 0 } parent ? parent : ".")}"),
            _ => null,
        };
        return kind is not { } found ? null : new UserErrorException(ExitCode.InputUnsupported, "SOURCE-KIND", $"{DisplayText.Escape(name)} is {found.What}")
        {
            File = path,
            Action = found.Action,
        };
    }

    private static string NextCommand(string address)
    {
        if (address.StartsWith("file://", StringComparison.OrdinalIgnoreCase))
        {
            string path = Uri.TryCreate(address, UriKind.Absolute, out Uri? parsed) && parsed.IsFile && parsed.Host.Length == 0 ? parsed.LocalPath : address["file://".Length..];
            return $"give the path alone: {Quoted(path)}";
        }

        return address.Split("://")[0].ToLowerInvariant() switch
        {
            "http" or "https" or "ftp" => $"curl -L -O {Quoted(address)}, then give the path",
            "s3" => $"aws s3 cp --recursive {Quoted(address)} model, then give the path: model",
            "gs" => $"gcloud storage cp -r {Quoted(address)} model, then give the path: model",
            _ => "download it first, then give the path of the folder",
        };
    }

    private static string Download(RepositoryName model) =>
        $"hf download {model.Id}" + (model.Revision is { } revision ? $" --revision {revision}" : "");

    /// <summary>As a shell takes it.</summary>
    public static string Quoted(string text) => text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "/._-+=:@%,".Contains(c, StringComparison.Ordinal))
        ? text
        : "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
