using Bnb.Engine.Errors;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>The catalogue of bad inputs, through the whole tool: right code, harmless message, nothing touched.</summary>
public sealed class HostileInputTests : IDisposable
{
    private readonly TempFolder _source = new();
    private readonly TempFolder _target = new();

    public static TheoryData<string> Refused => [.. HostileFiles.All.Select(hostile => hostile.Name)];

    public static TheoryData<string> Accepted => [.. HostileFiles.Accepted.Select(fine => fine.Name)];

    /// <summary>All but those whose fault only matters when something is to be written.</summary>
    public static TheoryData<string> RefusedByInspect => [.. HostileFiles.All
        .Where(hostile => hostile.Code is not ("CFG-QUANTIZED" or "AUX-SYMLINK") && hostile.Name != "dir-bad-config-missing")
        .Select(hostile => hostile.Name)];

    public void Dispose()
    {
        _source.Dispose();
        _target.Dispose();
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void Quantize_HostileInput_IsRefusedWithItsCodeAndTouchesNothing(string name)
    {
        (HostileCase hostile, string path) = Make(name);
        string before = FolderState.Of(_source.Path);

        ToolRun run = ToolRun.Of("quantize", path, "--output", _target["out"]);

        Refusal.AssertIs(run, (ExitCode)hostile.Exit, hostile.Code);
        Assert.Contains("\n  file ", run.Error, StringComparison.Ordinal);
        Assert.EndsWith("\nnothing was written\n", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Out);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_target.Path));
        Assert.Equal(before, FolderState.Of(_source.Path));
    }

    [Theory]
    [MemberData(nameof(RefusedByInspect))]
    public void Inspect_HostileInput_IsRefusedWithItsCode(string name)
    {
        (HostileCase hostile, string path) = Make(name);
        string before = FolderState.Of(_source.Path);

        ToolRun run = ToolRun.Of("inspect", path);

        Refusal.AssertIs(run, (ExitCode)hostile.Exit, hostile.Code);
        Assert.Empty(run.Out);
        Assert.Equal(before, FolderState.Of(_source.Path));
    }

    [Theory]
    [MemberData(nameof(Accepted))]
    public void Quantize_OddButLegalInput_SucceedsAsItsDryRunSays(string name)
    {
        string path = HostileFiles.Accepted.Single(fine => fine.Name == name).Build(_source);
        string before = FolderState.Of(_source.Path);

        ToolRun dry = ToolRun.Succeed("quantize", path, "--output", _target["out"], "--dry-run", "--json");
        Assert.Empty(Directory.EnumerateFileSystemEntries(_target.Path));
        ToolRun run = ToolRun.Succeed("quantize", path, "--output", _target["out"], "--json");
        ToolRun.Succeed("inspect", _target["out"]);

        Refusal.AssertHarmless(run.Error);
        Assert.Equal([_target["out"]], Directory.EnumerateFileSystemEntries(_target.Path));
        Assert.Equal(before, FolderState.Of(_source.Path));
        Assert.Equal(JsonResult.Of(dry).GetProperty("bytes_after").GetInt64(), JsonResult.Of(run).GetProperty("bytes_after").GetInt64());
        Assert.Equal(OutputFolder.WeightFileBytes(_target["out"]), JsonResult.Of(run).GetProperty("bytes_after").GetInt64());
        AssertSameTensors(OutputFolder.Tensors(path), OutputFolder.Tensors(_target["out"]));
    }

    /// <summary>None of the catalogue's tensors is a linear layer, so all of them must come out as they went in.</summary>
    private static void AssertSameTensors(
        Dictionary<string, (TensorInfo Info, byte[] Bytes)> before, Dictionary<string, (TensorInfo Info, byte[] Bytes)> after)
    {
        Assert.Equal(before.Keys.Order(StringComparer.Ordinal), after.Keys.Order(StringComparer.Ordinal));
        foreach ((string tensor, (TensorInfo info, byte[] bytes)) in before)
        {
            Assert.Equal((info.DType, info.Shape), (after[tensor].Info.DType, after[tensor].Info.Shape));
            Assert.Equal(bytes, after[tensor].Bytes);
        }
    }

    private (HostileCase Hostile, string Path) Make(string name)
    {
        HostileCase hostile = HostileFiles.All.Single(hostile => hostile.Name == name);
        Assert.SkipWhen(hostile.SkipReason is not null, hostile.SkipReason ?? "");
        return (hostile, hostile.Build(_source));
    }
}
