using System.Buffers.Binary;
using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.Formats.Checkpoints;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

/// <summary>
/// Every command line in the documents is run, one after the other as a reader would, in a folder with the sources that
/// the texts speak of. Exit code and shown output must be those of the run.
/// </summary>
public sealed class SessionTests : IDisposable
{
    /// <summary>Where the sessions pretend to be; paths that the tool prints in full begin with it.</summary>
    private const string Home = "/home/ana/";

    private static readonly string[] PathStarts = ["llama", "broken-download", "demo-out"];

    private static readonly string[] Differs = ["time  ", "kernel error  "];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("README.md")]
    [InlineData("docs/cli.md")]
    [InlineData("docs/architecture.md")]
    [InlineData("docs/quickstart.md")]
    [InlineData("docs/using.md")]
    [InlineData("docs/choosing.md")]
    [InlineData("docs/quality.md")]
    [InlineData("docs/troubleshooting.md")]
    [InlineData("docs/scale-out.md")]
    [InlineData("CONTRIBUTING.md")]
    public void Commands_RunInOrder_EndAndPrintAsShown(string name)
    {
        MakeSources();
        foreach (DocumentedCommand command in DocumentedCommand.In(Document.Read(name)))
        {
            ToolRun run = ToolRun.Of([.. command.Arguments.Select(Located)]);
            Assert.True(run.Exit == command.Exit, $"{command.Where}\nends with {run.Exit}\n{run.Error}");
            if (!command.IsPiped) AssertShows(command, run);
        }
    }

    /// <summary>Whoever adds a session to a page must add the page to those that are run.</summary>
    [Fact]
    public void Sessions_InAnyDocument_AreRun()
    {
        IEnumerable<object?> run = typeof(SessionTests).GetMethod(nameof(Commands_RunInOrder_EndAndPrintAsShown))!
            .GetCustomAttributes(typeof(InlineDataAttribute), inherit: false).SelectMany(attribute => ((InlineDataAttribute)attribute).Data);
        HashSet<string> names = [.. run.OfType<string>()];

        Assert.All(Document.All().Where(document => DocumentedCommand.In(document).Count > 0), document => Assert.Contains(document.Name, names));
    }

    [Fact]
    public void Commands_InReadmeAndCli_AreFound()
    {
        // A change of the documents' layout must not turn the test above into one that runs nothing.
        Assert.NotEmpty(DocumentedCommand.In(Document.Read("README.md")));
        Assert.InRange(DocumentedCommand.In(Document.Read("docs/cli.md")).Count, 10, 100);
    }

    /// <summary>
    /// The shown lines come in this order among those printed; <c>...</c> stands for any others. Times differ from run to
    /// run, kernels from machine to machine. Of an error every line must be shown; the tables of a verdict may be shortened.
    /// </summary>
    private void AssertShows(DocumentedCommand command, ToolRun run)
    {
        string text = (run.Error + run.Out).Replace(_folder.Path + "/", "", StringComparison.Ordinal);
        string[] printed = text.TrimEnd().Split('\n');
        string[] shown = [.. command.Output.Select(line => line.Replace(Home, "", StringComparison.Ordinal))];
        int next = 0;
        foreach (string line in shown)
        {
            if (line.Length == 0 || line == "..." || Differs.Any(start => line.StartsWith(start, StringComparison.Ordinal))) continue;
            int found = Array.IndexOf(printed, line, next);
            Assert.True(found >= 0, $"{command.Where}\nshows, but does not print there:\n{line}\n\n{string.Join('\n', printed)}");
            next = found + 1;
        }

        bool json = command.Arguments.Contains("--json");
        bool fails = command.Exit is not (ExitCode.Done or ExitCode.VerificationFailed or ExitCode.Differs);
        if (fails && !json) Assert.Equal(printed, shown);
    }

    private string Located(string word) =>
        PathStarts.Any(start => word.StartsWith(start, StringComparison.Ordinal)) ? _folder[word] : word;

    private void MakeSources()
    {
        foreach (string name in (string[])["llama", "broken-download", "llama-with-nan", "llama-wide"])
            SampleCheckpoint.Small.Write(_folder[name]);

        using (FileStream cut = File.OpenWrite(_folder["broken-download", "model-00002-of-00002.safetensors"]))
            cut.SetLength(cut.Length - 1000);

        SetValue("llama-with-nan", 0x7FC0);
        // 99840, which float16 cannot hold.
        SetValue("llama-wide", 0x47C3);

        ToolRun.Succeed("quantize", _folder["llama"], "--output", _folder["llama-damaged"]);
        string damaged = _folder["llama-damaged", "model.safetensors"];
        long packed = Checkpoint.Open(damaged, requireConfig: false).Tensors
            .Single(tensor => tensor.Name == "model.layers.0.mlp.up_proj.weight").FileOffset;
        byte[] bytes = File.ReadAllBytes(damaged);
        foreach (ref byte value in bytes.AsSpan((int)packed + 1000, 40)) value ^= 0x55;
        File.WriteAllBytes(damaged, bytes);

        _folder.Write("llama-pickled/config.json", "{}"u8);
        _folder.Write("llama-pickled/pytorch_model.bin", TorchZip.Write(TorchPickle.StateDict(
            ("w", TorchPickle.W()), ("x", pickle => pickle.Call("os", "system", "echo HOSTILE")))));
    }

    /// <summary>Puts a bfloat16 into the first query weight, at flat index 300.</summary>
    private void SetValue(string source, ushort value)
    {
        string weights = _folder[source, "model-00001-of-00002.safetensors"];
        long query = Checkpoint.Open(weights, requireConfig: false).Tensors
            .Single(tensor => tensor.Name.EndsWith("q_proj.weight", StringComparison.Ordinal)).FileOffset;
        byte[] bytes = new byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        using FileStream file = File.OpenWrite(weights);
        file.Position = query + (300 * bytes.Length);
        file.Write(bytes);
    }
}
