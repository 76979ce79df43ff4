using System.CommandLine;
using Bnb.Cli.Options;
using Xunit;

namespace Bnb.Tool.Tests.Workers;

/// <summary>Which worker a process is, by the words of schedulers.</summary>
public sealed class WorkerOptionsTests
{
    [Theory]
    [InlineData("1/3", "--worker", "auto", "SLURM_ARRAY_TASK_ID=0", "SLURM_ARRAY_TASK_MIN=0", "SLURM_ARRAY_TASK_COUNT=3")]
    [InlineData("16/16", "--worker", "auto", "SLURM_ARRAY_TASK_ID=16", "SLURM_ARRAY_TASK_MIN=1", "SLURM_ARRAY_TASK_COUNT=16")]
    [InlineData("3/4", "--worker", "auto", "SLURM_ARRAY_TASK_ID=30", "SLURM_ARRAY_TASK_MIN=10", "SLURM_ARRAY_TASK_COUNT=4", "SLURM_ARRAY_TASK_STEP=10")]
    [InlineData("1/16", "--worker", "auto", "--workers", "16", "JOB_COMPLETION_INDEX=0")]
    [InlineData("16/16", "--worker", "auto", "--workers", "16", "JOB_COMPLETION_INDEX=15")]
    [InlineData("2/5", "--worker", "2/5", "SLURM_ARRAY_TASK_ID=0", "JOB_COMPLETION_INDEX=7")]
    [InlineData(null, "SLURM_ARRAY_TASK_ID=0", "SLURM_ARRAY_TASK_MIN=0", "SLURM_ARRAY_TASK_COUNT=3")]
    public void Share_OfAScheduler_IsTheTasksOwn(string? expected, params string[] words)
    {
        (ParseResult parsed, WorkerOptions options) = Parse(words);

        Assert.Empty(parsed.Errors);
        Assert.Equal(expected, options.Share(parsed)?.ToString());
    }

    [Theory]
    [InlineData("--worker", "auto")]
    [InlineData("--worker", "auto", "JOB_COMPLETION_INDEX=3")]
    [InlineData("--worker", "auto", "--workers", "3", "JOB_COMPLETION_INDEX=3")]
    [InlineData("--worker", "auto", "--workers", "3", "JOB_COMPLETION_INDEX=x")]
    [InlineData("--worker", "auto", "SLURM_ARRAY_TASK_ID=3")]
    [InlineData("--worker", "auto", "SLURM_ARRAY_TASK_ID=12", "SLURM_ARRAY_TASK_MIN=7", "SLURM_ARRAY_TASK_COUNT=2")]
    [InlineData("--worker", "auto", "--workers", "4", "SLURM_ARRAY_TASK_ID=1", "SLURM_ARRAY_TASK_MIN=1", "SLURM_ARRAY_TASK_COUNT=2")]
    [InlineData("--worker", "auto", "--workers", "4", "JOB_COMPLETION_INDEX=0", "SLURM_ARRAY_TASK_ID=1", "SLURM_ARRAY_TASK_MIN=1", "SLURM_ARRAY_TASK_COUNT=4")]
    [InlineData("--worker", "1/2", "--workers", "2")]
    [InlineData("--worker", "1/2", "--no-checksums")]
    public void Share_ThatCannotBeTold_IsAnError(params string[] words) => Assert.Single(Parse(words).Parsed.Errors);

    /// <param name="words">Of the command line; those with an equals sign are the environment.</param>
    private static (ParseResult Parsed, WorkerOptions Options) Parse(string[] words)
    {
        Dictionary<string, string> environment = words.Where(word => word.Contains('=', StringComparison.Ordinal))
            .Select(word => word.Split('=')).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        var options = new WorkerOptions(name => environment.GetValueOrDefault(name));
        Option<bool> dryRun = new("--dry-run"), restart = new("--restart"), noChecksums = new("--no-checksums");
        var command = new RootCommand { options.Worker, options.Workers, dryRun, restart, noChecksums };
        command.Validators.Add(result => options.Validate(result, dryRun, restart, noChecksums));
        return (command.Parse([.. words.Where(word => !word.Contains('=', StringComparison.Ordinal))]), options);
    }
}
