using Bnb.Engine.Errors;
using Bnb.Engine.Sources;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary>What a SOURCE may be, and what is said when it is something else.</summary>
public sealed class SourceLocatorTests : IDisposable
{
    private const string Older = "1111111111111111111111111111111111111111";

    private readonly TempFolder _temp = new();
    private readonly string _main;
    private readonly string _old;
    private readonly SourceLocator _locator;

    public SourceLocatorTests()
    {
        var cache = new HubCache(_temp["hub"]);
        _main = cache.Add("acme/tiny", HubCache.Commit, "main", HubCache.SmallModel(_temp, "a"));
        _old = cache.Add("acme/tiny", Older, "refs-style/v1.0", HubCache.SmallModel(_temp, "b"));
        cache.Add("lone", HubCache.Commit, branch: null, HubCache.SmallModel(_temp, "c"));
        _locator = new SourceLocator(new HuggingFaceCache(cache.Folder));
    }

    public void Dispose() => _temp.Dispose();

    [Theory]
    [InlineData("acme/tiny")]
    [InlineData("acme/tiny@main")]
    [InlineData("acme/tiny@" + HubCache.Commit)]
    [InlineData("hf://acme/tiny")]
    [InlineData("hf://models/acme/tiny@main")]
    [InlineData("https://huggingface.co/acme/tiny")]
    [InlineData("https://huggingface.co/acme/tiny/tree/main")]
    [InlineData("https://hf.co/acme/tiny/?library=transformers")]
    public void Locate_ModelInTheCache_IsItsSnapshot(string text)
    {
        SourceLocation found = _locator.LocateWhole(text);

        Assert.Equal(_main, found.Path);
        Assert.Equal("acme/tiny", found.Model!.Id);
        Assert.Equal(HubCache.Commit, found.Model.Revision);
    }

    [Theory]
    [InlineData("acme/tiny@refs-style/v1.0")]
    [InlineData("acme/tiny@" + Older)]
    public void Locate_OtherRevision_IsThatSnapshot(string text) => Assert.Equal(_old, _locator.Locate(text).Path);

    [Fact]
    public void Locate_FolderOfAModel_IsItsSnapshot()
    {
        Assert.Equal(_main, _locator.Locate(_temp["hub", "models--acme--tiny"]).Path);
        Assert.Equal(_main, _locator.Locate(_temp["hub", "models--acme--tiny"] + "/").Path);
    }

    [Fact]
    public void Locate_NameWithoutOwnerAndWithoutBranch_IsTheOnlySnapshot() =>
        Assert.EndsWith("models--lone/snapshots/" + HubCache.Commit, _locator.Locate("lone").Path, StringComparison.Ordinal);

    [Theory]
    [InlineData("https://huggingface.co/acme/tiny/blob/main/model.safetensors")]
    [InlineData("hf://acme/tiny/model.safetensors")]
    public void Locate_FileOfAModel_IsItsLink(string text) => Assert.Equal(_main + "/model.safetensors", _locator.Locate(text).Path);

    [Fact]
    public void Locate_ConfigOrIndex_IsTheFolder()
    {
        string folder = CheckpointBuilder.Sharded(_temp["s"], [[TestTensor.Floats("a.weight", "F32", 64, 64)], [TestTensor.Floats("b.weight", "F32", 64, 64)]]);

        Assert.Equal(folder, _locator.LocateWhole(Path.Combine(folder, "config.json")).Path);
        Assert.Equal(folder, _locator.LocateWhole(Path.Combine(folder, "model.safetensors.index.json")).Path);
    }

    [Fact]
    public void LocateWhole_OneShardOfSeveral_IsRefusedWithTheFolder()
    {
        string folder = CheckpointBuilder.Sharded(_temp["s"], [[TestTensor.Floats("a.weight", "F32", 64, 64)], [TestTensor.Floats("b.weight", "F32", 64, 64)]]);
        string shard = Path.Combine(folder, "model-00001-of-00002.safetensors");

        var refused = Assert.Throws<UserErrorException>(() => _locator.LocateWhole(shard));

        Assert.Equal(("SOURCE-SHARD", ExitCode.InputUnsupported), (refused.Code, refused.Exit));
        Assert.Equal($"give the folder: {folder}", refused.Action);
        Assert.Equal(shard, _locator.Locate(shard).Path);
    }

    [Theory]
    [InlineData("acme/absent", "FILE-MISSING", "hf download acme/absent, ")]
    [InlineData("acme/tiny@v2", "FILE-MISSING", "hf download acme/tiny --revision v2, ")]
    [InlineData("hf://acme/absent", "FILE-MISSING", "hf download acme/absent, ")]
    [InlineData("https://huggingface.co/acme/absent", "FILE-MISSING", "hf download acme/absent, ")]
    [InlineData("hf://acme/tiny/other.safetensors", "FILE-MISSING", "hf download acme/tiny other.safetensors, ")]
    [InlineData("https://example.org/model.safetensors", "SOURCE-URL", "curl -L -O https://example.org/model.safetensors")]
    [InlineData("s3://bucket/model", "SOURCE-URL", "aws s3 cp --recursive s3://bucket/model model")]
    [InlineData("hf://acme/../etc", "SOURCE-URL", "download it first")]
    public void Locate_NotHere_SaysTheNextCommand(string text, string code, string action)
    {
        var refused = Assert.Throws<UserErrorException>(() => _locator.Locate(text));

        Assert.Equal((code, ExitCode.InputMissing), (refused.Code, refused.Exit));
        Assert.StartsWith(action, refused.Action, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.zip", "unzip")]
    [InlineData("model.tar.gz", "tar -xf")]
    [InlineData("model.onnx", "exported from")]
    [InlineData("model-q4_k_m.gguf", "give the safetensors files it was converted from")]
    [InlineData("tf_model.h5", "hf download")]
    [InlineData("tokenizer.json", "give the folder")]
    public void Locate_FileOfAnotherKind_SaysTheNextCommand(string name, string action)
    {
        string path = _temp.Write(name, "x"u8);

        var refused = Assert.Throws<UserErrorException>(() => _locator.Locate(path));

        Assert.Equal(("SOURCE-KIND", ExitCode.InputUnsupported), (refused.Code, refused.Exit));
        Assert.Contains(action, refused.Action, StringComparison.Ordinal);
    }

    [Fact]
    public void Locate_SnapshotOfAConfigAlone_SaysToDownloadTheWeights()
    {
        string snapshot = Directory.CreateDirectory(_temp["hub", "models--acme--bare", "snapshots", Older]).FullName;
        File.WriteAllText(Path.Combine(snapshot, "config.json"), "{}");

        var refused = Assert.Throws<UserErrorException>(() => _locator.Locate("acme/bare"));

        Assert.StartsWith("hf download acme/bare, ", refused.Action, StringComparison.Ordinal);
    }

    [Fact]
    public void Locate_BranchThatLeadsOutOfTheCache_IsRefused()
    {
        _temp.Write("hub/models--acme--tiny/refs/evil", "../../../../etc"u8);

        Assert.Throws<CheckpointFormatException>(() => _locator.Locate("acme/tiny@evil"));
    }

    [Theory]
    [InlineData("no-such-folder")]
    [InlineData("a/b/c")]
    [InlineData("/no/such/folder")]
    [InlineData("../no-such-folder")]
    public void Locate_PathThatIsNotThere_StaysAPath(string text) => Assert.Equal(new SourceLocation(text, null), _locator.Locate(text));

    [Theory]
    [InlineData("~/models/llama", "write ")]
    [InlineData("$HOME/llama", "use double quotes")]
    [InlineData("%USERPROFILE%/llama", "write the path")]
    [InlineData("llama*", "write it out")]
    [InlineData(@"C:\models\llama", "WSL has it as /mnt/c/models/llama")]
    [InlineData("file:///models/my%20llama", "give the path alone: '/models/my llama'")]
    [InlineData("models--acme--tiny", "give the model's id: acme/tiny")]
    [InlineData("Acme/Tiny", "did you mean acme/tiny, ")]
    [InlineData("acme/tinny", "did you mean acme/tiny, ")]
    [InlineData("tiny", "did you mean acme/tiny, ")]
    [InlineData("acme/tiny/vae", "acme/tiny is in the Hugging Face cache, without vae")]
    [InlineData("acme/tiny/tokenizer.json", "give its path in the cache: ")]
    public void Locate_WhatWasMeantBySomethingElse_IsSaid(string text, string action)
    {
        var refused = Assert.Throws<UserErrorException>(() => _locator.Locate(text));

        Assert.Equal(ExitCode.InputMissing, refused.Exit);
        Assert.StartsWith(action, refused.Action![Math.Max(0, refused.Action!.IndexOf(action, StringComparison.Ordinal))..], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("MODELS/Llama")]
    [InlineData("modles/llama")]
    [InlineData("models/llamma/")]
    public void Locate_MisspeltPath_NamesTheOneThatIsThere(string text)
    {
        Directory.CreateDirectory(_temp["models", "llama"]);

        var refused = Assert.Throws<UserErrorException>(() => _locator.Locate(_temp.Path + "/" + text));

        Assert.Equal("FILE-MISSING", refused.Code);
        Assert.Equal($"did you mean {_temp.Path}/models/llama{(text.EndsWith('/') ? "/" : "")}?", refused.Action);
    }

    [Fact]
    public void Locate_TheCacheItself_NamesItsModels()
    {
        var refused = Assert.Throws<UserErrorException>(() => _locator.Locate(_temp["hub"]));

        Assert.Equal("give the id of one, for example acme/tiny", refused.Action);
    }

    [Fact]
    public void Open_FolderOfModels_NamesThoseWithWeights()
    {
        _ = HubCache.SmallModel(_temp, "shelf/one");
        Directory.CreateDirectory(_temp["shelf", "empty"]);

        ToolRun run = ToolRun.Of("inspect", _temp["shelf"]);

        Refusal.AssertIs(run, ExitCode.InputMissing, "FILE-MISSING");
        Assert.Contains($"give one of the folders in it that have weights: {_temp["shelf", "one"]}\n", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HF_HUB_CACHE", "/x", "/x")]
    [InlineData("HUGGINGFACE_HUB_CACHE", "/x", "/x")]
    [InlineData("HF_HOME", "/x", "/x/hub")]
    [InlineData("HF_HOME", "~/x", "/home/ana/x/hub")]
    [InlineData("XDG_CACHE_HOME", "/x", "/x/huggingface/hub")]
    [InlineData("HF_HUB_CACHE", "", "/home/ana/.cache/huggingface/hub")]
    public void DefaultCache_ByVariable_IsWhereTheHubsLibraryLooks(string name, string value, string expected) =>
        Assert.Equal(expected, HuggingFaceCache.Default(asked => asked == name ? value : asked == "HOME" ? "/home/ana" : null).Folder);
}
