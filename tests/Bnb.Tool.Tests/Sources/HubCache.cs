using Bnb.TestKit;

namespace Bnb.Tool.Tests.Sources;

/// <summary>A cache as the hub's own library leaves it: files in blobs, links to them in snapshots, branches in refs.</summary>
internal sealed class HubCache(string folder)
{
    public const string Commit = "0e9e39f249a16976918f6564b8830bc894c89659";

    public string Folder { get; } = folder;

    /// <summary>Adds a snapshot; the files of <paramref name="checkpoint"/> move into blobs.</summary>
    public string Add(string id, string commit, string? branch, string checkpoint)
    {
        string model = Path.Combine(Folder, "models--" + id.Replace("/", "--", StringComparison.Ordinal));
        string blobs = Directory.CreateDirectory(Path.Combine(model, "blobs")).FullName;
        string snapshot = Directory.CreateDirectory(Path.Combine(model, "snapshots", commit)).FullName;
        foreach (string file in Directory.EnumerateFiles(checkpoint))
        {
            string blob = $"{commit}-{Path.GetFileName(file).GetHashCode(StringComparison.Ordinal):x8}";
            File.Move(file, Path.Combine(blobs, blob));
            File.CreateSymbolicLink(Path.Combine(snapshot, Path.GetFileName(file)), "../../blobs/" + blob);
        }

        if (branch is not null)
        {
            string reference = Path.Combine(model, "refs", branch);
            Directory.CreateDirectory(Path.GetDirectoryName(reference)!);
            File.WriteAllText(reference, commit);
        }

        return snapshot;
    }

    /// <summary>A model of one layer with a tokenizer, ready to be added.</summary>
    public static string SmallModel(TempFolder temp, string name)
    {
        string made = CheckpointBuilder.SingleFile(temp[name], [TestTensor.Floats("model.layers.0.mlp.up_proj.weight", "F32", 64, 64)]);
        File.WriteAllText(Path.Combine(made, "tokenizer.json"), "{}");
        return made;
    }
}
