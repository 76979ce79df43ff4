using System.Runtime.InteropServices;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Quant.Numerics;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary>
/// <c>--importance</c> through the whole tool, in each form that a file of it has: a model with the names and widths of the golden
/// imatrix, which was made with gguf's own writer.
/// </summary>
public sealed class ImportanceFileTests(ImportanceFileTests.Model model) : IClassFixture<ImportanceFileTests.Model>, IDisposable
{
    private static readonly string[] Search = ["--scale", "search", "--double-quant", "false", "--block-size", "32"];

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Files => ["imatrix.gguf", "imatrix_with_in_sum.gguf", "imatrix.dat", "imatrix_oldest_no_tail.dat"];

    public void Dispose() => _folder.Dispose();

    /// <summary>What gguf and llama.cpp take each file for, written as safetensors under the checkpoint's names, gives the same bytes.</summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void Quantize_Imatrix_WeighsTheTensorsThatItsNamesAreMappedTo(string file)
    {
        string vectors = _folder["vectors.safetensors"];
        File.WriteAllBytes(vectors, CheckpointBuilder.Safetensors(Model.Expected(legacy: file.EndsWith(".dat", StringComparison.Ordinal))));

        string fromMatrix = Quantized("matrix", Golden.File("imatrix", file)), fromVectors = Quantized("vectors", vectors);

        Assert.Equal(Weights(fromVectors), Weights(fromMatrix));
        Assert.NotEqual(Weights(Quantized("plain", null)), Weights(fromMatrix));
    }

    [Fact]
    public void Quantize_VectorsNamedAsModules_GiveTheBytesOfThoseNamedAsWeights()
    {
        List<TestTensor> vectors = [.. Model.Expected(legacy: false)];
        string weights = Written("weights", vectors);
        string modules = Written("modules", vectors.Select(vector => vector with { Name = vector.Name[..^".weight".Length] }));

        Assert.Equal(Weights(Quantized("w", weights)), Weights(Quantized("m", modules)));
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    public void Quantize_VectorsOf16Bit_AreRead(string dtype)
    {
        // Powers of two, which both types hold.
        TestTensor wide = Vector("model.layers.0.mlp.down_proj.weight", 96, i => i % 5 == 0 ? 64 : 0.5f);
        TestTensor narrow = wide with
        {
            DType = dtype,
            Data = [.. MemoryMarshal.Cast<byte, float>(wide.Data).ToArray().SelectMany(value => dtype == "F16"
                ? BitConverter.GetBytes((Half)value)
                : BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)))],
        };

        Assert.Equal(Weights(Quantized("w", Written("wide", [wide]))), Weights(Quantized("n", Written("narrow", [narrow]))));
    }

    [Fact]
    public void Quantize_Importance_GivesTheSameBytesOnOneThreadAndThree()
    {
        string[] options = ["--importance", Golden.File("imatrix", "imatrix.gguf"), .. Search];

        string one = VerifyModel.Quantize(model.Source, _folder["one"], [.. options, "--threads", "1"]);
        string three = VerifyModel.Quantize(model.Source, _folder["three"], [.. options, "--threads", "3", "--max-memory", "16MB"]);

        Assert.Equal(OutputFolder.Fingerprint(one), OutputFolder.Fingerprint(three));
        OutputContract.AssertHolds(one);
    }

    /// <summary>What importance is for: the weighted error falls below that of the search without, which has the least plain one.</summary>
    [Theory]
    [InlineData("--type", "nf4")]
    [InlineData("--type", "nf4", "--double-quant", "false")]
    [InlineData("--type", "fp4")]
    [InlineData("--type", "int4", "--group-size", "32")]
    [InlineData("--type", "int8")]
    public void Quantize_Importance_LowersTheWeightedErrorAndRaisesThePlainOne(params string[] type)
    {
        string importance = Written("importance", [Vector(Model.Up, 64, i => i % 3 == 0 ? 100 : 1)]);
        string[] options = [.. type, "--scale", "search"];
        string weighted = VerifyModel.Quantize(model.Source, _folder["weighted"], [.. options, "--importance", importance]);
        string plain = VerifyModel.Quantize(model.Source, _folder["plain"], options);

        Assert.True(Error(weighted, weight: 100) < Error(plain, weight: 100));
        Assert.True(Error(weighted, weight: 1) > Error(plain, weight: 1));
    }

    [Fact]
    public void Quantize_TensorsThatTheFileDoesNotName_AreCountedInAWarning()
    {
        string importance = Written("importance", [Vector(Model.Up, 64, i => i + 1)]);

        ToolRun run = ToolRun.Succeed(["quantize", model.Source, "--output", _folder["out"], "--importance", importance, .. Search]);

        Assert.Contains($"says nothing of {Model.Quantized - 1} tensors", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("quantize", "--dry-run")]
    [InlineData("quantize", "--output", "*")]
    [InlineData("plan", "--target-bits", "16")]
    public void Importance_OfAnotherModelsNames_IsRefused(string command, params string[] rest)
    {
        string importance = Written("importance", [Vector("transformer.h.0.mlp.c_fc.weight", 64, i => i + 1)]);
        string[] options = [.. rest.Select(word => word == "*" ? _folder["out"] : word)];

        ToolRun run = ToolRun.Of([command, model.Source, .. options, "--importance", importance, .. Search]);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "IMPORTANCE");
        Assert.Contains("transformer.h.0.mlp.c_fc.weight", run.Error, StringComparison.Ordinal);
        Assert.Contains("evaluate --save-importance", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Fact]
    public void Importance_VectorOfAnotherWidth_IsRefusedWithTensorAndWidths()
    {
        string importance = Written("importance", [Vector(Model.Up, 63, i => i + 1)]);

        string error = Refused(importance, ExitCode.InputUnsupported, "IMPORTANCE");

        Assert.Contains(Model.Up, error, StringComparison.Ordinal);
        Assert.Contains("F32 [63]", error, StringComparison.Ordinal);
        Assert.Contains("[64]", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Importance_ImatrixOfAnotherWidth_IsRefusedWithFileTensorAndWidths()
    {
        string wide = CheckpointBuilder.SingleFile(_folder["wide"], [NormalWeights.Of(Model.Up, "BF16", 1, 32, 128), NormalWeights.Of("lm_head.weight", "BF16", 1, 8, 128)]);

        ToolRun run = ToolRun.Of(["quantize", wide, "--output", _folder["out"], "--importance", Golden.File("imatrix", "imatrix.gguf"), .. Search]);

        Refusal.AssertIs(run, ExitCode.InputMalformed, "IMX-LAYOUT");
        foreach (string part in (string[])["imatrix.gguf", Model.Up, "64 channels", "128", "give the importance matrix that was made of this model"])
            Assert.Contains(part, run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData(-1f)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Importance_ValueThatIsNoMeanSquare_IsRefusedWithItsPlace(float value)
    {
        string importance = Written("importance", [Vector(Model.Up, 64, i => i == 17 ? value : 1)]);

        Assert.Contains("at 17", Refused(importance, ExitCode.InputUnsupported, "IMPORTANCE"), StringComparison.Ordinal);
    }

    [Fact]
    public void Importance_IntegerVector_IsRefusedWithItsType()
    {
        string importance = Written("importance", [TestTensor.Numbered(Model.Up, "I32", 64)]);

        Assert.Contains("I32 [64]", Refused(importance, ExitCode.InputUnsupported, "IMPORTANCE"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("missing.safetensors", null, (int)ExitCode.InputMissing)]
    [InlineData("missing.dat", null, (int)ExitCode.InputMissing)]
    [InlineData("short.safetensors", "abc", (int)ExitCode.InputMalformed)]
    [InlineData("short.gguf", "GGUF", (int)ExitCode.InputMalformed)]
    [InlineData("text.dat", "this is a text and no importance matrix", (int)ExitCode.InputMalformed)]
    [InlineData("empty.dat", "", (int)ExitCode.InputMalformed)]
    public void Importance_BrokenFile_IsOneErrorWithANextStep(string name, string? content, int exit)
    {
        string path = _folder[name];
        if (content is not null) File.WriteAllText(path, content);

        ToolRun run = ToolRun.Of(["quantize", model.Source, "--output", _folder["out"], "--importance", path, .. Search]);

        Assert.Equal(exit, (int)run.Exit);
        Assert.Single(run.Error.Split('\n'), line => line.StartsWith("error[", StringComparison.Ordinal));
        Assert.Contains(name, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.Split('\n'), line => line.TrimStart().StartsWith("do ", StringComparison.Ordinal));
        Refusal.AssertHarmless(run.Error);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("imatrix.gguf", 5000)]
    [InlineData("imatrix.dat", 3000)]
    public void Importance_TruncatedFile_IsRefused(string file, int length)
    {
        string path = _folder[file];
        File.WriteAllBytes(path, File.ReadAllBytes(Golden.File("imatrix", file))[..length]);

        Refused(path, ExitCode.InputMalformed, "IMX-LAYOUT");
    }

    private string Refused(string importance, ExitCode exit, string code)
    {
        ToolRun run = ToolRun.Of(["quantize", model.Source, "--output", _folder["out"], "--importance", importance, .. Search]);

        Refusal.AssertIs(run, exit, code);
        Refusal.AssertNothingWritten(_folder["out"]);
        return run.Error;
    }

    private string Quantized(string name, string? importance) => VerifyModel.Quantize(
        model.Source, _folder[name], [.. Search, .. importance is null ? (string[])[] : ["--importance", importance]]);

    private string Written(string name, IEnumerable<TestTensor> vectors)
    {
        string path = _folder[name + ".safetensors"];
        File.WriteAllBytes(path, CheckpointBuilder.Safetensors(vectors));
        return path;
    }

    private static TestTensor Vector(string name, int count, Func<int, float> value) => new(
        name, "F32", [count], MemoryMarshal.AsBytes<float>(Enumerable.Range(0, count).Select(value).ToArray()).ToArray());

    private static Dictionary<string, string> Weights(string folder) =>
        OutputFolder.Tensors(folder).ToDictionary(pair => pair.Key, pair => Convert.ToHexString(pair.Value.Bytes));

    /// <summary>Sum of squared errors of <see cref="Model.Up"/>, every third column counted <paramref name="weight"/> times.</summary>
    private double Error(string quantized, double weight)
    {
        string back = _folder["back"];
        ToolRun.Succeed("dequantize", quantized, "--output", back, "--dtype", "float32");
        float[] found = MemoryMarshal.Cast<byte, float>(OutputFolder.Tensors(back)[Model.Up].Bytes).ToArray();
        Directory.Delete(back, recursive: true);
        float[] values = new float[found.Length];
        Widen.ToSingle(ElementType.BF16, OutputFolder.Tensors(model.Source)[Model.Up].Bytes, values);
        return values.Zip(found).Select((pair, i) => (i % 64 % 3 == 0 ? weight : 1) * Math.Pow(pair.First - pair.Second, 2)).Sum();
    }

    /// <summary>A layer of Llama and one of Mixtral, as the golden imatrix is of.</summary>
    public sealed class Model : IDisposable
    {
        public const string Up = "model.layers.0.mlp.up_proj.weight";

        private readonly TempFolder _folder = new();

        public Model() => Source = CheckpointBuilder.SingleFile(
            _folder["model"],
            [.. Expected(legacy: false).Select((vector, i) => NormalWeights.Of(vector.Name, "BF16", i, 32, vector.Shape[0])), NormalWeights.Of("lm_head.weight", "BF16", 99, 16, 64)]);

        public string Source { get; }

        /// <summary>Tensors that are quantized: all that have a vector.</summary>
        public static int Quantized => Expected(legacy: false).Count();

        public void Dispose() => _folder.Dispose();

        /// <summary>A vector for each weight of the blocks that is quantized, under the weight's name, of what is expected of a golden file.</summary>
        public static IEnumerable<TestTensor> Expected(bool legacy)
        {
            JsonElement gguf = Entries("expected_gguf.json"), dat = Entries("expected_dat.json");
            foreach (JsonProperty entry in gguf.EnumerateObject())
            {
                int number = 0, channels = entry.Value.GetProperty("n_in").GetInt32();
                // Router and head are not quantized.
                if (entry.Name is "blk.1.ffn_gate_inp.weight" or "output.weight") continue;
                float[] flat = legacy
                    ? [.. dat.GetProperty(entry.Name).GetProperty("mean_sq").EnumerateArray().Select(value => value.GetSingle())]
                    : [.. entry.Value.GetProperty("mean_sq").EnumerateArray().SelectMany(row => row.EnumerateArray()).Select(value => value.GetSingle())];
                foreach (JsonElement name in entry.Value.GetProperty("hf_names").EnumerateArray())
                {
                    byte[] data = MemoryMarshal.AsBytes(flat.AsSpan(number++ * channels, channels)).ToArray();
                    yield return new TestTensor(name.GetString()!, "F32", [channels], data);
                }
            }
        }

        private static JsonElement Entries(string file) =>
            JsonDocument.Parse(File.ReadAllBytes(Golden.File("imatrix", file))).RootElement.GetProperty("entries");
    }
}
