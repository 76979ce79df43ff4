using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Bnb.Engine.Work;

namespace Bnb.Cli.Options;

/// <summary>Which of several processes this one is: said outright, or by what a scheduler puts into the environment.</summary>
internal sealed class WorkerOptions
{
    public const int MostWorkers = 1_000_000;

    private const string Auto = "auto";

    private readonly Func<string, string?> _environment;

    /// <param name="environment">Reads an environment variable.</param>
    public WorkerOptions(Func<string, string?> environment) => _environment = environment;

    public Option<string?> Worker { get; } = new("--worker")
    {
        Description = "Make only one share of the output, the I-th of N, beside other processes with the same command; auto takes I and N from a Slurm array or a Kubernetes Indexed Job (default: make all of it)",
        HelpName = "I/N|auto",
    };

    public Option<int> Workers { get; } = new("--workers")
    {
        Description = "How many processes there are, for --worker auto in a Kubernetes Indexed Job (default: none)",
        HelpName = "N",
        CustomParser = Choice.Number(1, MostWorkers),
    };

    /// <summary>Adds what is wrong with the two options to the errors of the command line.</summary>
    public void Validate(CommandResult result, Option<bool> dryRun, Option<bool> restart, Option<bool> noChecksums)
    {
        string? worker = result.GetValue(Worker);
        bool counted = result.GetResult(Workers) is { Implicit: false };
        if (worker is null)
        {
            if (counted) result.AddError("--workers goes with --worker auto");
            return;
        }

        if (result.GetValue(dryRun)) result.AddError("--worker does not go with --dry-run, which makes nothing");
        else if (result.GetValue(restart)) result.AddError("--worker does not go with --restart, which would throw away what the others made; delete the staging folder before they start");
        else if (result.GetValue(noChecksums)) result.AddError("--worker does not go with --no-checksums: whoever commits knows the weight files of the others by their SHA-256");
        else if (Read(worker, counted ? result.GetValue(Workers) : null, out string? error) is null) result.AddError(error!);
    }

    /// <summary>The share, null without the option.</summary>
    public WorkerShare? Share(ParseResult parsed) => parsed.GetValue(Worker) is { } worker
        ? Read(worker, parsed.GetResult(Workers) is { Implicit: false } ? parsed.GetValue(Workers) : null, out _)
        : null;

    private WorkerShare? Read(string text, int? workers, out string? error)
    {
        if (text == Auto) return FromEnvironment(workers, out error);
        error = null;
        string[] parts = text.Split('/');
        if (workers is not null) error = "--workers goes with --worker auto";
        else if (parts.Length == 2 && Number(parts[0]) is { } index && Number(parts[1]) is { } count && index >= 1 && index <= count)
            return new WorkerShare(index, count);
        error ??= $"--worker cannot take '{text}'; it is I/N, I from 1 to N, or auto";
        return null;
    }

    private WorkerShare? FromEnvironment(int? workers, out string? error)
    {
        string? slurm = _environment("SLURM_ARRAY_TASK_ID"), kubernetes = _environment("JOB_COMPLETION_INDEX");
        error = (slurm, kubernetes) switch
        {
            (null, null) => "--worker auto finds neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX in the environment; write --worker I/N",
            (not null, not null) => "--worker auto finds both SLURM_ARRAY_TASK_ID and JOB_COMPLETION_INDEX in the environment; write --worker I/N",
            _ => null,
        };
        if (error is not null) return null;
        return slurm is not null ? FromSlurm(slurm, workers, out error) : FromKubernetes(kubernetes!, workers, out error);
    }

    /// <summary>Any array whose tasks follow each other by one step: 0-15, 1-16, 10-40:10.</summary>
    private WorkerShare? FromSlurm(string id, int? workers, out string? error)
    {
        string? least = _environment("SLURM_ARRAY_TASK_MIN"), count = _environment("SLURM_ARRAY_TASK_COUNT");
        int step = Number(_environment("SLURM_ARRAY_TASK_STEP")) is { } given and > 0 ? given : 1;
        error = null;
        if (Number(id) is not { } task || Number(least) is not { } first || Number(count) is not { } tasks)
        {
            error = $"--worker auto cannot read the array from SLURM_ARRAY_TASK_ID '{id}', SLURM_ARRAY_TASK_MIN '{least}' and SLURM_ARRAY_TASK_COUNT '{count}'";
            return null;
        }

        int index = ((task - first) / step) + 1;
        if (index < 1 || index > tasks || (task - first) % step != 0)
            error = $"--worker auto finds task {task} in an array of {tasks} tasks from {first} on, which has gaps; write --worker I/N";
        else if (workers is { } expected && expected != tasks)
            error = $"--workers says {expected}, the array has {tasks} tasks; write --worker I/N";
        return error is null ? new WorkerShare(index, tasks) : null;
    }

    private static WorkerShare? FromKubernetes(string text, int? workers, out string? error)
    {
        error = null;
        if (workers is not { } count) error = "--worker auto needs --workers N in a Kubernetes Indexed Job, N being its completions";
        else if (Number(text) is not { } index || index >= count) error = $"--worker auto finds JOB_COMPLETION_INDEX '{text}', which is not from 0 to {count - 1}";
        else return new WorkerShare(index + 1, count);
        return null;
    }

    private static int? Number(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value <= MostWorkers ? value : null;
}
