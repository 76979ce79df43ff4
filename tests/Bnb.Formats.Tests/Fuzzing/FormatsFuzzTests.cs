using System.Text;
using Bnb.Formats.Adapters;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Gguf;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Sharded;
using Bnb.Formats.Tests.Torch;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Fuzzing;

/// <summary>
/// Changed headers, configs and small files: whatever is in them, reading gives a value that keeps its promises or one of our errors,
/// in memory in proportion to the input. PyTorch files have <see cref="TorchFuzzTests"/>.
/// </summary>
public sealed class FormatsFuzzTests
{
    private const int Inputs = 10_000;
    private const int LongestMessage = 8000;

    [Fact]
    public void SafetensorsHeader_Changed_TilesItsFileOrIsAnError()
    {
        var mutation = new JsonMutation(20261201);
        new FuzzRun(Inputs).Run(FuzzSeeds.Headers, mutation.Of, input => Outcome(() =>
        {
            long length = 8 + input.Length + FuzzSeeds.HeaderData;
            HeaderFacts.AssertTiles(SafetensorsHeader.Parse(input, length, "model.safetensors"), length);
        }));
    }

    [Fact]
    public void SafetensorsFile_Changed_TilesItsFileOrIsAnError()
    {
        Mutation bytes = new(20261202);
        JsonMutation text = new(20261203);
        int turn = 0;
        new FuzzRun(Inputs).Run([.. FuzzSeeds.Headers.Select(FuzzSeeds.File)], Change, input => Outcome(() =>
            HeaderFacts.AssertTiles(SafetensorsFile.ReadHeader(new MemorySource(input, "/m/model.safetensors")), input.Length)));

        // A header of another length needs another prefix, else nothing behind the prefix is ever reached.
        byte[] Change(byte[] file, IReadOnlyList<byte[]> others) => turn++ % 2 == 0 || file.Length < 8 + FuzzSeeds.HeaderData
            ? bytes.Of(file, others)
            : FuzzSeeds.File(text.Of(file[8..^FuzzSeeds.HeaderData], FuzzSeeds.Headers));
    }

    [Fact]
    public void SafetensorsNames_Changed_AreThoseOfTheHeaderOrItIsAnError()
    {
        JsonMutation text = new(20261128);
        var random = new Random(20261128);
        new FuzzRun(Inputs).Run(FuzzSeeds.Headers, text.Of, input => Outcome(() =>
        {
            var file = new MemorySource(FuzzSeeds.File(input), "/m/model.safetensors");
            List<string> names = [];
            // Pieces that end anywhere, within tokens too.
            HeaderNames.Read(file, SafetensorsFile.RequireJson(file), new HeaderErrors(file.Path), name => names.Add(Encoding.UTF8.GetString(name)), random.Next(1, 64));
            // The strict reader refuses more, and what it takes has these names.
            Assert.Equal(SafetensorsFile.ReadHeader(file).Tensors.Select(static tensor => tensor.Name).Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
        }));
    }

    [Fact]
    public void ShardIndex_Changed_StaysInItsFolderOrIsAnError()
    {
        var mutation = new JsonMutation(20261204);
        new FuzzRun(Inputs).Run(FuzzSeeds.Indexes, mutation.Of, input => Outcome(() =>
        {
            ShardIndex index = ShardIndex.Parse(input, "/m/model.safetensors.index.json");
            foreach ((_, string shard) in index.WeightMap)
            {
                Assert.EndsWith(".safetensors", shard, StringComparison.Ordinal);
                Assert.DoesNotContain("..", shard.Split('/', '\\'));
                Assert.StartsWith("/m/", Path.GetFullPath(Path.Combine("/m", shard)), StringComparison.Ordinal);
            }

            byte[] written = ShardIndex.Write(index.WeightMap, 1);
            Assert.Equal(index.WeightMap.Order(ByKey), ShardIndex.Parse(written, "model.safetensors.index.json").WeightMap.Order(ByKey));
        }));
    }

    [Fact]
    public void ModelConfig_Changed_TakesAndGivesBackAQuantizationConfigOrIsAnError()
    {
        var mutation = new JsonMutation(20261205);
        var ours = new BnbQuantizationConfig("nf4", true, "bfloat16", "uint8", ["lm_head"]);
        new FuzzRun(Inputs).Run(FuzzSeeds.Configs, mutation.Of, input => Outcome(() =>
        {
            ModelConfig config = ModelConfig.Parse(input, "/m/config.json");
            ReadEverything(config);
            byte[] plain = config.RemoveQuantizationConfig();
            Assert.Null(ModelConfig.Parse(plain, "/m/config.json").Settings);
            ModelConfig edited = ModelConfig.Parse(config.InsertQuantizationConfig(ours), "/m/config.json");
            Assert.Equal(("bitsandbytes", "bfloat16"), (edited.QuantMethod, edited.ComputeDType));
            // White space between the braces of an empty object is not kept; settings of parts go as well.
            if (!config.Has("quantization_config") && config.Root.GetPropertyCount() > 0) Assert.Equal(plain, edited.RemoveQuantizationConfig());
        }));
    }

    [Fact]
    public void QuantState_Changed_IsWrittenAsItWasReadOrIsAnError()
    {
        var mutation = new JsonMutation(20261206);
        new FuzzRun(Inputs).Run(FuzzSeeds.QuantStates, mutation.Of, input => Outcome(() =>
        {
            BnbQuantState state = BnbQuantState.Parse(input, "model.safetensors", "w");
            Assert.Equal(state, BnbQuantState.Parse(state.ToUtf8(), "model.safetensors", "w"));
        }));
    }

    [Fact]
    public void AdapterConfig_Changed_ScalesByANumberOrIsAnError()
    {
        var mutation = new JsonMutation(20261207);
        // A regular expression without backtracking costs what its letters do, in the runtime.
        new FuzzRun(Inputs, fixedBytes: 8_000_000).Run(FuzzSeeds.Adapters, mutation.Of, input => Outcome(() =>
        {
            LoraConfig config = LoraConfig.Parse(input, "/m/adapter_config.json");
            Assert.True(double.IsFinite(config.Scaling("model.layers.1.self_attn.o_proj", 8)));
            _ = (config.IsDora, config.IsFanInFanOut, config.IsRankStabilized);
        }));
    }

    [Fact]
    public void ImportanceMatrix_ChangedGguf_HoldsMeanSquaresOrIsAnError() => Importance(20261208, FuzzSeeds.Gguf);

    [Fact]
    public void ImportanceMatrix_ChangedDat_HoldsMeanSquaresOrIsAnError() => Importance(20261209, FuzzSeeds.Dat);

    [Fact]
    public void LfsPointer_Changed_IsOneOrNone()
    {
        var mutation = new Mutation(20261210);
        new FuzzRun(Inputs).Run(FuzzSeeds.Pointers, mutation.Of, input => Outcome(() =>
        {
            if (LfsPointer.TryParse(input) is { } pointer) Assert.DoesNotContain(pointer.Oid + pointer.SizeText, char.IsControl);
        }));
    }

    private static void Importance(ulong seed, IReadOnlyList<byte[]> seeds)
    {
        var mutation = new Mutation(seed);
        new FuzzRun(Inputs).Run(seeds, mutation.Of, input => Outcome(() =>
        {
            ImportanceMatrix matrix = ImportanceMatrix.Read(new MemorySource(input, "/m/imatrix.gguf"));
            foreach (string name in matrix.Names)
                Assert.All(matrix.Find(name)!, values => Assert.DoesNotContain(values, value => !(value >= 0) || float.IsInfinity(value)));
            _ = matrix.For("model.layers.0.self_attn.q_proj.weight", 4);
        }));
    }

    private static void ReadEverything(ModelConfig config)
    {
        _ = (config.ModelType, config.TorchDType, config.IsDiffusers, config.TieWordEmbeddings, config.QuantMethod, config.ComputeDType);
        if (config.Quantization is not { } settings) return;
        _ = (settings.Method, settings.LoadIn4Bit, settings.LoadIn8Bit, settings.Int8Threshold, settings.IsInt8ThresholdFloat, settings.SkipModules);
        _ = (settings.Format, settings.Status, settings.Ignore, settings.Groups.Count, settings.WeightBlock, settings.CheckpointFormat);
        _ = (settings.Version, settings.GroupSize, settings.IsMarlin);
    }

    /// <summary>Name of the outcome; every exception but our own escapes.</summary>
    private static string Outcome(Action read)
    {
        try
        {
            read();
            return "read";
        }
        catch (CheckpointFormatException error)
        {
            Assert.DoesNotContain(error.Message, char.IsControl);
            Assert.InRange(error.Message.Length, 1, LongestMessage);
            return error.Message;
        }
    }

    private static readonly IComparer<KeyValuePair<string, string>> ByKey =
        Comparer<KeyValuePair<string, string>>.Create(static (a, b) => string.CompareOrdinal(a.Key, b.Key));
}
