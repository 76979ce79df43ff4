using Bnb.Engine.DataTypes;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Quant.Backends;
using Bnb.TestKit;
using Bnb.Tool.Tests.Bytes;
using Xunit;

namespace Bnb.Tool.Tests.Integers;

/// <summary>int8 and int4: the same source and recipe give the same bytes, whatever the machine is allowed to do.</summary>
public sealed class IntegerDeterminismTests(IntegerDeterminismTests.Model model) : IClassFixture<IntegerDeterminismTests.Model>, IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<KernelPath> Paths => [.. KernelPaths.Available];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--threads", "1")]
    [InlineData("--threads", "2")]
    [InlineData("--threads", "7")]
    [InlineData("--threads", "64")]
    [InlineData("--max-memory", "400kB")]
    [InlineData("--max-memory", "3MB")]
    [InlineData("--max-memory", "2GB")]
    [InlineData("--threads", "7", "--max-memory", "3MB")]
    public void Quantize_AnyThreadsAndMemory_GivesTheSameBytes(params string[] options) => Model.ForEach((recipe, i) =>
    {
        ToolRun.Succeed(["quantize", model.Source, "--output", _folder[$"out{i}"], "--max-shard-size", "300kB", .. Model.Options[i], .. options]);

        Assert.Equal(model.Fingerprints[i], OutputFolder.Fingerprint(_folder[$"out{i}"]));
    });

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_AnyKernelPath_GivesTheSameBytes(KernelPath path) => Model.ForEach((recipe, i) =>
    {
        var request = new QuantizeRequest
        {
            SourcePath = model.Source,
            OutputPath = _folder[$"out{i}"],
            Recipe = recipe,
            MaxShardBytes = 300_000,
            KernelPath = path,
        };

        QuantizeRun.Execute(request, NoEvents.Instance, CancellationToken.None);

        Assert.Equal(model.Fingerprints[i], OutputFolder.Fingerprint(_folder[$"out{i}"]));
    });

    [Theory]
    [InlineData("1B")]
    [InlineData("50kB")]
    [InlineData("10GB")]
    public void Quantize_AnyShardLimit_GivesTheSameTensors(string limit) => Model.ForEach((recipe, i) =>
    {
        ToolRun.Succeed(["quantize", model.Source, "--output", _folder[$"out{i}"], "--max-shard-size", limit, .. Model.Options[i]]);

        OutputContract.AssertHolds(_folder[$"out{i}"]);
        var output = OutputFolder.Tensors(_folder[$"out{i}"]);
        Assert.Equal(model.Tensors[i].Keys.Order(StringComparer.Ordinal), output.Keys.Order(StringComparer.Ordinal));
        Assert.All(model.Tensors[i], tensor => Assert.Equal(tensor.Value, output[tensor.Key].Bytes));
    });

    /// <summary>A model with linear weights of several units of work, and what one plain run of each recipe makes of it.</summary>
    public sealed class Model : IDisposable
    {
        private static readonly QuantizeRecipe[] Recipes = [new Int8Recipe(Int8Recipe.DefaultThreshold), new Int4Recipe(64, true), new Int4Recipe(64, false)];

        private readonly TempFolder _folder = new();

        public Model()
        {
            Source = CheckpointBuilder.SingleFile(_folder["model"], [
                RandomWeights.Of("model.embed_tokens.weight", "F16", 1, 50, 96),
                RandomWeights.Within(30000, "model.layers.0.mlp.up_proj.weight", "F16", 2, 301, 1024),
                RandomWeights.Within(30000, "model.layers.0.mlp.down_proj.weight", "F16", 3, 1031, 320),
                RandomWeights.Within(30000, "model.layers.0.mlp.gate_proj.weight", "F16", 4, 11, 20_032),
                RandomWeights.Within(30000, "model.layers.0.self_attn.q_proj.weight", "F16", 5, 37, 101),
                RandomWeights.Of("model.norm.weight", "F16", 6, 96),
            ]);
            ForEach((_, i) => ToolRun.Succeed(["quantize", Source, "--output", _folder[$"out{i}"], "--max-shard-size", "300kB", .. Options[i]]));
            Fingerprints = [.. Recipes.Select((_, i) => OutputFolder.Fingerprint(_folder[$"out{i}"]))];
            Tensors = [.. Recipes.Select((_, i) => OutputFolder.Tensors(_folder[$"out{i}"]).ToDictionary(tensor => tensor.Key, tensor => tensor.Value.Bytes))];
        }

        public static string[][] Options { get; } =
            [["--type", "int8"], ["--type", "int4", "--group-size", "64"], ["--type", "int4", "--group-size", "64", "--symmetric", "false"]];

        public string Source { get; }

        public IReadOnlyList<string> Fingerprints { get; }

        public IReadOnlyList<Dictionary<string, byte[]>> Tensors { get; }

        public void Dispose() => _folder.Dispose();

        internal static void ForEach(Action<QuantizeRecipe, int> check)
        {
            for (int i = 0; i < Recipes.Length; i++) check(Recipes[i], i);
        }
    }
}
