using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Quant.Blockwise;
using Bnb.TestKit;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>What must hold for the plan of any checkpoint. FsCheck prints the seed of a failure.</summary>
public sealed class PlanPropertyTests : IDisposable
{
    private static readonly Gen<TestTensor> Tensors =
        from name in Gen.Elements("mlp.down_proj.weight", "self_attn.o_proj.weight", "norm.weight", "mlp.down_proj.bias", "scale", "mask")
        from dtype in Gen.Elements("F32", "F16", "BF16", "F64", "I64", "I32")
        from rows in Gen.Choose(0, 40)
        from columns in Gen.OneOf(Gen.Choose(1, 300), Gen.Choose(1, 9).Select(groups => groups * 32))
        select name.EndsWith("_proj.weight", StringComparison.Ordinal)
            ? new TestTensor(name, dtype, [rows, columns], [])
            : new TestTensor(name, dtype, [columns], []);

    private static readonly Gen<QuantizeRecipe> Recipes = Gen.OneOf(
        from type in Gen.Elements("nf4", "fp4")
        from blocksize in Gen.Elements(32, 64, 256, 4096)
        from doubleQuant in Gen.Elements(true, false)
        select (QuantizeRecipe)new Blockwise4Recipe(Code4Catalog.ByName(type), blocksize, doubleQuant, DType.U8),
        Gen.Constant<QuantizeRecipe>(new Int8Recipe(Int8Recipe.DefaultThreshold)),
        from groupSize in Gen.Elements(32, 64, 128)
        from symmetric in Gen.Elements(true, false)
        select (QuantizeRecipe)new Int4Recipe(groupSize, symmetric));

    private static readonly Gen<Sketch> Sketches =
        from tensors in Gen.NonEmptyListOf(Tensors)
        from limit in Gen.Elements(1L, 3_000L, 20_000L, 1_000_000L)
        from recipe in Recipes
        select new Sketch([.. tensors.Select((tensor, i) => tensor with { Name = $"model.layers.{i}.{tensor.Name}" })], limit, recipe);

    private readonly TempFolder _folder = new();
    private int _run;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Make_AnyCheckpoint_CoversEverySourceTensorOnceAndTilesEveryShard() => Prop.ForAll(Sketches.ToArbitrary(), sketch =>
    {
        QuantizePlan plan = PlanOf(sketch);

        Assert.Equal(plan.Source.Tensors.Select(tensor => tensor.Name), plan.Shards.SelectMany(shard => shard.Tensors).Select(tensor => tensor.Source.Name));
        foreach (ShardPlan shard in plan.Shards)
        {
            long position = 0;
            foreach (OutputTensor output in shard.Outputs)
            {
                Assert.Equal(position, output.Info.Begin);
                Assert.Equal(output.Info.ByteCount, output.Info.Shape.ElementCount * output.Info.DType.BitSize() / 8);
                position = output.Info.End;
            }

            Assert.Equal(shard.MaximumLength, shard.HeaderLength + position);
            Assert.Equal(shard.Outputs.Select(output => output.Plan).ToHashSet(), shard.Tensors.ToHashSet());
        }

        string[] names = [.. plan.Shards.SelectMany(shard => shard.Outputs).Select(output => output.Info.Name)];
        Assert.Equal(names.Length, names.Distinct(StringComparer.Ordinal).Count());
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Make_AnyLimit_IsExceededOnlyByASingleTensor() => Prop.ForAll(Sketches.ToArbitrary(), sketch =>
    {
        QuantizePlan plan = PlanOf(sketch);

        for (int i = 0; i < plan.Shards.Count; i++)
        {
            ShardPlan shard = plan.Shards[i];
            Assert.NotEmpty(shard.Tensors);
            Assert.True(shard.Tensors.Count == 1 || DataBytes(shard) <= sketch.Limit, $"{shard.FileName} has {DataBytes(shard)} bytes");
            // Greedy: the next shard's first tensor would not have fitted.
            if (i == 0) continue;
            long next = shard.Outputs.Where(output => output.Plan == shard.Tensors[0]).Sum(output => output.Info.ByteCount);
            Assert.True(DataBytes(plan.Shards[i - 1]) + next > sketch.Limit, $"{shard.FileName} was not needed");
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Quantize_AnyCheckpoint_DryRunIsExactToTheByte() => Prop.ForAll(Sketches.ToArbitrary(), sketch =>
    {
        string output = _folder[$"out-{_run}"];
        string[] args =
        [
            "quantize", Write(sketch), "--output", output, "--json", "--max-shard-size", $"{sketch.Limit}B", "--type", sketch.Recipe.Type, .. sketch.Options,
        ];
        var plan = JsonResult.Of(ToolRun.Succeed([.. args, "--dry-run"]));
        Assert.False(Path.Exists(output));
        var result = JsonResult.Of(ToolRun.Succeed(args));

        foreach (string member in (string[])["tensors", "files", "bytes_before", "bytes_after", "bits_per_parameter", "skip_modules"])
            Assert.Equal(result.GetProperty(member).GetRawText(), plan.GetProperty(member).GetRawText());
        Assert.Equal(OutputFolder.WeightFileBytes(output), plan.GetProperty("bytes_after").GetInt64());
        long tensorBytes = OutputFolder.Tensors(output).Values.Sum(tensor => tensor.Info.ByteCount);
        Assert.Equal(tensorBytes, plan.GetProperty("tensors").EnumerateArray().Sum(tensor => tensor.GetProperty("bytes_after").GetInt64()));
        OutputContract.AssertHolds(output);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(24).WithEndSize(12));

    private static long DataBytes(ShardPlan shard) => shard.Outputs.Sum(output => output.Info.ByteCount);

    private QuantizePlan PlanOf(Sketch sketch)
    {
        string source = Write(sketch);
        var request = new QuantizeRequest
        {
            SourcePath = source,
            OutputPath = _folder["out"],
            Recipe = sketch.Recipe,
            MaxShardBytes = sketch.Limit,
        };
        return QuantizePlan.Make(request, Checkpoint.Open(source, requireConfig: true));
    }

    private string Write(Sketch sketch) =>
        CheckpointBuilder.SingleFile(_folder[$"model-{_run++}"], sketch.Tensors.Select(tensor => TestTensor.Numbered(tensor.Name, tensor.DType, tensor.Shape) switch
        {
            // Numbered bytes are not all finite numbers.
            var numbered when tensor.DType is "F32" or "F16" or "BF16" or "F64" => numbered with { Data = [.. numbered.Data.Select(value => (byte)(value & 0x3f))] },
            var numbered => numbered,
        }));

    private sealed record Sketch(IReadOnlyList<TestTensor> Tensors, long Limit, QuantizeRecipe Recipe)
    {
        public string[] Options => Recipe switch
        {
            Blockwise4Recipe blockwise => ["--block-size", $"{blockwise.Blocksize}", "--double-quant", blockwise.DoubleQuant ? "true" : "false"],
            Int4Recipe groups => ["--group-size", $"{groups.GroupSize}", "--symmetric", groups.Symmetric ? "true" : "false"],
            _ => [],
        };

        public override string ToString() =>
            $"{Recipe} limit {Limit}: {string.Join(", ", Tensors.Select(tensor => $"{tensor.Name} {tensor.DType} [{string.Join(',', tensor.Shape)}]"))}";
    }
}
