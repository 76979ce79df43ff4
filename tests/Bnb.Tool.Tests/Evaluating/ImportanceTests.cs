using System.Runtime.InteropServices;
using System.Text;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Forward;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

public class ImportanceTests
{
    [Fact]
    public void Add_SeveralBatches_SumsSquaresOfEachChannel()
    {
        var importance = new ImportanceRecorder();
        var weight = new WeightUse("a.weight", 5, 3);

        importance.Add(weight, new TokenMatrix([1, 2, 3, 4, 5, 6], 0, 2, 3));
        importance.Add(weight, new TokenMatrix([-1, 0, 2], 0, 1, 3));

        ChannelImportance channels = Assert.Single(importance.Channels);
        Assert.Equal(("a.weight", 3), (channels.Name, channels.Tokens));
        Assert.Equal([18.0, 29, 49], channels.Sums);
    }

    [Fact]
    public void Run_ModelWithExperts_CountsTheTokensOfEach()
    {
        var golden = new GoldenModel("mixtral");
        var importance = new ImportanceRecorder();

        golden.Run(GoldenModel.Options(), importance: importance);

        List<ChannelImportance> channels = [.. importance.Channels];
        // Two experts per token and layer.
        Assert.Equal(3 * 2 * 96, channels.Where(item => item.Name.EndsWith(".w1.weight", StringComparison.Ordinal)).Sum(item => item.Tokens));
        Assert.All(channels.Where(item => item.Name.Contains("self_attn", StringComparison.Ordinal)), item => Assert.Equal(96, item.Tokens));
    }

    [Fact]
    public void Evaluate_SaveImportance_WritesAVectorForEachWeight()
    {
        using var folder = new TempFolder();
        SampleCheckpoint.Small.Write(folder["llama"]);

        ToolRun.Succeed("evaluate", folder["llama"], "--source", folder["llama"], "--tokens", "64", "--save-importance", folder["i.safetensors"]);

        byte[] bytes = File.ReadAllBytes(folder["i.safetensors"]);
        int header = BitConverter.ToInt32(bytes);
        using var json = System.Text.Json.JsonDocument.Parse(bytes.AsMemory(8, header));
        List<string> names = [.. json.RootElement.EnumerateObject().Select(item => item.Name).Where(name => name != "__metadata__")];
        Assert.Equal(14, names.Count);
        Assert.Contains("model.layers.1.mlp.down_proj.weight", names);
        Assert.Equal(704, json.RootElement.GetProperty("model.layers.1.mlp.down_proj.weight").GetProperty("shape")[0].GetInt32());
        Assert.All(MemoryMarshal.Cast<byte, float>(bytes.AsSpan(8 + header)).ToArray(), mean => Assert.True(mean >= 0 && float.IsFinite(mean)));
    }

    [Fact]
    public void Evaluate_SaveImportanceAsGguf_WritesLlamaCppsNames()
    {
        using var folder = new TempFolder();
        SampleCheckpoint.Small.Write(folder["llama"]);

        ToolRun.Succeed("evaluate", folder["llama"], "--source", folder["llama"], "--tokens", "64", "--save-importance", folder["i.gguf"]);

        string text = Encoding.Latin1.GetString(File.ReadAllBytes(folder["i.gguf"]));
        Assert.StartsWith("GGUF", text, StringComparison.Ordinal);
        foreach (string name in (string[])["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"])
            Assert.Contains($"blk.1.{name}.weight.in_sum2", text, StringComparison.Ordinal);
    }
}
