using Bnb.Engine.Errors;
using Bnb.Engine.Text;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

/// <summary>Files that options name: a pipe nobody writes to, a device or a folder is one error, and never waited for.</summary>
public sealed class NamedFileTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TempFolder _folder = new();
    private readonly string _source;
    private readonly string _packed;

    public NamedFileTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs named pipes");
        _source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats("model.layers.0.mlp.down_proj.weight", "BF16", 64, 64)]);
        _packed = _folder["packed"];
        ToolRun.Succeed("quantize", _source, "--output", _packed);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("verify", "--policy", "POLICY-FILE")]
    [InlineData("verify", "--baseline", "BASELINE-FILE")]
    [InlineData("verify", "--activations", "FILE-KIND")]
    [InlineData("verify", "--importance", "FILE-KIND")]
    [InlineData("quantize", "--importance", "FILE-KIND")]
    [InlineData("quantize", "--config", "RECIPE")]
    [InlineData("evaluate", "--ids", "FILE-KIND")]
    public async Task Option_WhoseFileIsAPipeOrADevice_IsOneError(string command, string option, string code)
    {
        foreach (string path in (string[])[HostileFiles.Pipe(_folder[command + option + ".json"]), "/dev/zero"])
        {
            string[] args = command == "quantize" ? ["quantize", _source, "--output", _folder["out"], "--scale", "search"] : [command, _packed, "--source", _source];

            ToolRun run = await Task.Run(() => ToolRun.Of([.. args, option, path])).WaitAsync(Patience, TestContext.Current.CancellationToken);

            Assert.True(run.Exit != ExitCode.Done && run.Exit != ExitCode.InternalError, run.Error);
            Refusal.AssertIs(run, run.Exit, code);
            Assert.Contains("\n  do ", run.Error, StringComparison.Ordinal);
            Refusal.AssertNothingWritten(_folder["out"]);
        }
    }

    [Fact]
    public void TryRead_WhatCannotBeHad_SaysWhy()
    {
        Assert.Equal([1, 2], NamedFile.TryRead(_folder.Write("small", [1, 2]), 2, out _));
        foreach ((string path, string word) in ((string, string)[])
            [(_folder["none"], "no such file"), (_folder.Path, "folder"), ("/dev/zero", "no regular file"), (_folder.Write("long", [1, 2, 3]), "too long")])
        {
            Assert.Null(NamedFile.TryRead(path, 2, out string wrong));
            Assert.Contains(word, wrong, StringComparison.Ordinal);
        }
    }
}
