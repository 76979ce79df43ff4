using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Tensors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Diff;

/// <summary>One <c>diff --json</c> and what it says.</summary>
internal sealed class DiffOf
{
    private DiffOf(ToolRun run, JsonElement result) => (Run, Result) = (run, result);

    public ToolRun Run { get; }

    /// <summary>The object of type diff.</summary>
    public JsonElement Result { get; }

    public JsonElement[] Differing => [.. Result.GetProperty("differing").EnumerateArray()];

    public static DiffOf Paths(string a, string b, params IEnumerable<string> options)
    {
        ToolRun run = ToolRun.Of(["diff", a, b, "--json", .. options]);
        Assert.True(run.Exit is ExitCode.Done or ExitCode.Differs, $"exit {run.Exit}: {run.Error}");
        string[] lines = run.Out.TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.Equal($"{{\"type\":\"exit\",\"code\":{(int)run.Exit}}}", lines[1]);
        JsonElement result = JsonElement.Parse(lines[0]);
        Assert.Equal("diff", result.GetProperty("type").GetString());
        Assert.Equal(run.Exit == ExitCode.Done, result.GetProperty("equal").GetBoolean());
        return new DiffOf(run, result);
    }

    /// <summary>Of two single-file checkpoints without config.</summary>
    public static DiffOf Tensors(TempFolder folder, IEnumerable<TestTensor> a, IEnumerable<TestTensor> b, params IEnumerable<string> options) =>
        Paths(folder.Write("a.safetensors", CheckpointBuilder.Safetensors(a)), folder.Write("b.safetensors", CheckpointBuilder.Safetensors(b)), options);

    /// <summary>The one weight that differs.</summary>
    public JsonElement Only()
    {
        Assert.Equal(ExitCode.Differs, Run.Exit);
        return Assert.Single(Differing);
    }

    public JsonElement Of(string name) => Differing.Single(weight => weight.GetProperty("name").GetString() == name);

    /// <summary>"what: a -> b" of each change of form.</summary>
    public static string[] Changes(JsonElement weight) =>
        [.. weight.GetProperty("changes").EnumerateArray().Select(change => $"{change.GetProperty("what")}: {change.GetProperty("a")} -> {change.GetProperty("b")}")];

    public static string[] Names(JsonElement list) => [.. list.EnumerateArray().Select(name => name.GetString()!)];

    /// <summary>Changes bytes of one tensor of a checkpoint on disk.</summary>
    public static void Edit(string path, string tensor, Action<byte[]> edit)
    {
        CheckpointTensor found = Checkpoint.Open(path, requireConfig: false).Tensors.Single(candidate => candidate.Name == tensor);
        byte[] file = File.ReadAllBytes(found.File.Path);
        byte[] bytes = file.AsSpan((int)found.FileOffset, (int)found.ByteCount).ToArray();
        edit(bytes);
        bytes.CopyTo(file.AsSpan((int)found.FileOffset));
        File.WriteAllBytes(found.File.Path, file);
    }
}
