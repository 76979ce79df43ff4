using Bnb.Tool.Tests.Docs;
using Xunit;

namespace Bnb.Tool.Tests.Workers;

/// <summary>The job descriptions in docs/scale-out.md say what schedulers and the tool understand.</summary>
public sealed class ScaleOutDocumentTests
{
    private static readonly Document Text = Document.Read("docs/scale-out.md");

    [Fact]
    public void KubernetesJob_IsIndexedAndRunsAWorkerPerCompletion()
    {
        var job = (Dictionary<string, object>)SmallYaml.Parse(Block("yaml"));

        Assert.Equal(("batch/v1", "Job"), (At(job, "apiVersion"), At(job, "kind")));
        Assert.Equal("Indexed", At(job, "spec", "completionMode"));
        Assert.Equal("Never", At(job, "spec", "template", "spec", "restartPolicy"));
        var container = (Dictionary<string, object>)((List<object>)At(job, "spec", "template", "spec", "containers"))[0];
        List<string> args = [.. ((List<object>)container["args"]).Cast<string>()];
        Assert.Equal(At(job, "spec", "completions"), args[args.IndexOf("--workers") + 1]);
        Assert.Equal("auto", args[args.IndexOf("--worker") + 1]);
        AssertOptionsExist(args);
        var mount = (Dictionary<string, object>)((List<object>)container["volumeMounts"])[0];
        var volume = (Dictionary<string, object>)((List<object>)At(job, "spec", "template", "spec", "volumes"))[0];
        Assert.Equal(volume["name"], mount["name"]);
    }

    [Fact]
    public void SlurmScript_IsAnArrayOfWorkers()
    {
        string[] lines = Block("bash");

        Assert.Equal("#!/bin/bash", lines[0]);
        Assert.Contains(lines, line => line.StartsWith("#SBATCH --array=1-", StringComparison.Ordinal));
        string[] words = lines[^1].Split(' ');
        Assert.Equal(["srun", "dotnet", "bnb", "quantize"], words[..4]);
        Assert.Equal(["--worker", "auto"], words[^2..]);
        AssertOptionsExist(words);
    }

    private static void AssertOptionsExist(IEnumerable<string> words)
    {
        string help = ToolRun.Succeed("quantize", "--help").Out;
        Assert.All(words.Where(word => word.StartsWith("--", StringComparison.Ordinal)), option => Assert.Contains(option + " ", help, StringComparison.Ordinal));
    }

    private static object At(object node, params string[] path) => path.Aggregate(node, (inner, name) => ((Dictionary<string, object>)inner)[name]);

    private static string[] Block(string language)
    {
        int start = Array.IndexOf(Text.Lines, "```" + language) + 1;
        Assert.NotEqual(0, start);
        return [.. Text.Lines.Skip(start).TakeWhile(line => line != "```")];
    }
}
