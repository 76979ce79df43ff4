using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

public sealed class CheckpointTests
{
    [Fact]
    public void Open_ManyTensorsAndSeveralBadFiles_ListsThemInTheirOrder()
    {
        using var folder = new TempFolder();
        // So many that the files behind the first are opened beside each other.
        List<IReadOnlyList<TestTensor>> shards = [.. Enumerable.Range(0, 6).Select(shard =>
            (IReadOnlyList<TestTensor>)[.. Enumerable.Range(0, shard == 0 ? 2500 : 3).Select(i => TestTensor.Numbered($"t.{shard}.{i}", "F16", 2))])];
        string source = CheckpointBuilder.Sharded(folder["source"], shards);
        Assert.Equal(2500 + 15, Checkpoint.Open(source, requireConfig: true).Tensors.Count);
        Assert.Equal([0, 1, 2, 3, 4, 5], Checkpoint.Open(source, requireConfig: true).Files.Select(file => file.Name[10] - '1'));

        foreach (int bad in (int[])[2, 4, 5])
        {
            using FileStream file = File.OpenWrite(Path.Combine(source, CheckpointBuilder.ShardName(bad, 6)));
            file.SetLength(file.Length - 1);
        }

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(source, requireConfig: true));
        Assert.StartsWith("3 of 6 weight files are shorter than their headers say", error.Summary, StringComparison.Ordinal);
        Assert.Equal([2, 4, 5], error.Facts.Select(fact => fact.Label[10] - '0'));
    }

    [Fact]
    public void Open_ManyMissingShards_ListsTwentyAndACount()
    {
        using TempFolder temp = new();
        string folder = CheckpointBuilder.Sharded(temp["m"], [.. Enumerable.Range(0, 30).Select(i => (TestTensor[])[Tensor($"t{i}")])]);
        for (int i = 2; i <= 30; i++) File.Delete(Path.Combine(folder, CheckpointBuilder.ShardName(i, 30)));

        CheckpointFormatException error = Refused(folder);

        Assert.Equal(FormatError.FileMissing, error.Error);
        Assert.StartsWith("29 of 30 weight files are missing", error.Summary, StringComparison.Ordinal);
        Assert.Equal(21, error.Facts.Count);
        Assert.Equal(("and", "9 more"), error.Facts[^1]);
        Assert.NotNull(error.Action);
    }

    [Fact]
    public void Open_BothShardsArePointers_NamesBothWithTheirRealSizes()
    {
        using TempFolder temp = new();
        CheckpointFormatException error = Refused(HostileFiles.All.Single(hostile => hostile.Name == "dir-bad-shard-lfs").Build(temp));

        Assert.StartsWith("2 of 2 weight files are Git LFS pointers", error.Summary, StringComparison.Ordinal);
        Assert.All(error.Facts, fact => Assert.Contains("4,976,698,672", fact.Value, StringComparison.Ordinal));
        Assert.Contains("git lfs pull", error.Action, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dir-bad-shard-dangling", "links to", "../../blobs/4d7a2146")]
    [InlineData("dir-bad-shard-incomplete", "unfinished", "model-00002-of-00002.safetensors.incomplete")]
    public void Open_MissingShard_SaysWhatIsThereInstead(string name, string label, string value)
    {
        using TempFolder temp = new();
        CheckpointFormatException error = Refused(HostileFiles.All.Single(hostile => hostile.Name == name).Build(temp));

        Assert.Contains(error.Facts, fact => fact.Label == label && fact.Value.StartsWith(value, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("dir-ok-extra-consolidated", "consolidated.safetensors")]
    [InlineData("dir-ok-index-and-single", "index.json ignored")]
    [InlineData("dir-ok-total-size-wrong", "the index says 31 bytes")]
    [InlineData("dir-ok-extra-tensor", "does not list are kept: c")]
    [InlineData("dir-ok-no-index", "there is no index")]
    [InlineData("dir-ok-safetensors-and-bin", "pytorch_model.bin")]
    public void Open_OddFolder_IsNoted(string name, string note)
    {
        using TempFolder temp = new();
        Checkpoint checkpoint = Open(HostileFiles.Accepted.Single(accepted => accepted.Name == name).Build(temp));

        Assert.Contains(checkpoint.Notes, text => text.Contains(note, StringComparison.Ordinal));
    }

    [Fact]
    public void Open_Tensors_AreReadableAtTheirOffsets()
    {
        using TempFolder temp = new();
        TestTensor[] tensors = [TestTensor.Numbered("a", "U8", 3), TestTensor.Numbered("b", "F64", 2)];
        Checkpoint checkpoint = Open(CheckpointBuilder.Sharded(temp["m"], [[tensors[0]], [tensors[1], Tensor("c")]]));

        foreach (TestTensor expected in tensors)
        {
            CheckpointTensor tensor = checkpoint.Tensors.Single(candidate => candidate.Name == expected.Name);
            using IO.PositionedFile file = IO.PositionedFile.Open(tensor.File.Path);
            byte[] bytes = new byte[tensor.ByteCount];
            file.Read(tensor.FileOffset, bytes);
            Assert.Equal(expected.Data, bytes);
            Assert.Equal(tensor.File.Identity, file.Identity);
        }

        Assert.Equal(["a", "b", "c"], checkpoint.Tensors.Select(tensor => tensor.Name));
    }

    [Fact]
    public void Open_OneFile_TakesTheConfigBesideItButNoSideFiles()
    {
        using TempFolder temp = new();
        string folder = CheckpointBuilder.SingleFile(temp["m"], [Tensor("a")]);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), "{}");

        Checkpoint checkpoint = Open(Path.Combine(folder, "model.safetensors"));

        Assert.Equal("llama", checkpoint.Config!.ModelType);
        Assert.Empty(checkpoint.SideFiles.Copied);
        Assert.Equal(folder, checkpoint.Folder);
    }

    [Theory]
    [InlineData("adapter.safetensors", "adapter")]
    [InlineData("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model")]
    public void Open_OtherNames_GiveTheBaseName(string file, string expected)
    {
        using TempFolder temp = new();
        temp.Write("m/" + file, CheckpointBuilder.Safetensors(Tensor("a")));

        Assert.Equal(expected, Checkpoint.Open(temp["m"], requireConfig: false).WeightsBaseName);
    }

    [Fact]
    public void Open_DiffusersPipeline_PointsAtItsComponents()
    {
        using TempFolder temp = new();
        temp.Write("m/model_index.json", "{}"u8);
        temp.Write("m/transformer/diffusion_pytorch_model.safetensors", CheckpointBuilder.Safetensors(Tensor("a")));
        temp.Write("m/vae/diffusion_pytorch_model.bin", TorchZip.Write(TorchZip.Basic()));
        temp.Write("m/scheduler/scheduler_config.json", "{}"u8);
        temp.Write("m/flux1.safetensors", CheckpointBuilder.Safetensors(Tensor("a")));

        CheckpointFormatException error = Refused(temp["m"]);

        Assert.Equal(FormatError.FileMissing, error.Error);
        Assert.Contains(("components", "transformer, vae"), error.Facts);
        Assert.EndsWith("/transformer", error.Action, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_SeveralUnrelatedFiles_IsRefused()
    {
        using TempFolder temp = new();
        temp.Write("m/x.safetensors", CheckpointBuilder.Safetensors(Tensor("a")));
        temp.Write("m/y.safetensors", CheckpointBuilder.Safetensors(Tensor("a")));

        Assert.Contains("several safetensors files", Refused(temp["m"]).Summary, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("layer.qweight", "I32")]
    [InlineData("layer.weight_packed", "I32")]
    [InlineData("layer.weight_scale", "F32")]
    [InlineData("layer.weight_scale_inv", "F32")]
    [InlineData("layer.weight", "F8_E4M3")]
    [InlineData("layer.SCB", "F32")]
    [InlineData("layer.weight.absmax", "F32")]
    [InlineData("layer.weight.quant_state.bitsandbytes__nf4", "U8")]
    public void Find_QuantizedTensors_AreRecognized(string name, string dtype)
    {
        using TempFolder temp = new();
        Checkpoint checkpoint = Open(CheckpointBuilder.SingleFile(temp["m"], [TestTensor.Numbered(name, dtype, 2, 2)]));

        Assert.Contains(name, QuantizedSource.Find(checkpoint), StringComparison.Ordinal);
        Assert.Equal("CFG-QUANTIZED", Assert.Throws<CheckpointFormatException>(() => QuantizedSource.ThrowIfQuantized(checkpoint)).Error.Code());
    }

    [Fact]
    public void Find_MicroscalingPair_IsRecognizedButNotOneAlone()
    {
        using TempFolder temp = new();
        TestTensor blocks = TestTensor.Numbered("experts.down_proj_blocks", "U8", 2, 2);
        TestTensor scales = TestTensor.Numbered("experts.down_proj_scales", "U8", 2);

        Assert.NotNull(QuantizedSource.Find(Open(CheckpointBuilder.SingleFile(temp["a"], [blocks, scales]))));
        Assert.Null(QuantizedSource.Find(Open(CheckpointBuilder.SingleFile(temp["b"], [blocks]))));
    }

    private static TestTensor Tensor(string name) => TestTensor.Numbered(name, "F32", 2, 2);

    private static Checkpoint Open(string path) => Checkpoint.Open(path, requireConfig: true);

    private static CheckpointFormatException Refused(string path) => Assert.Throws<CheckpointFormatException>(() => Open(path));
}
