using Bnb.Cli.Terminal;
using Bnb.Engine.Manifests;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Screens;

/// <summary>The result of <c>verify --manifest</c>: what is wrong, then the verdict.</summary>
internal static class ManifestScreen
{
    public static void Write(ManifestReport report, ITerminal terminal)
    {
        foreach (ManifestProblem problem in report.Problems)
        {
            string what = problem.Problem switch
            {
                "missing" => "is missing",
                "unreadable" => $"cannot be read: {problem.Found}",
                _ => $"{problem.Problem} is {problem.Found}, the manifest says {problem.Expected}",
            };
            Say(DisplayText.Escape($"failed  {problem.Name}  {what}"));
        }

        foreach (string name in report.Unlisted) Say($"not in the manifest  {DisplayText.Escape(name)}");
        Say($"made by  {DisplayText.Escape(report.Manifest.Tool)}, {DisplayText.Escape(report.Manifest.Command)}, plan {DisplayText.Escape(report.Manifest.Plan)}");
        int files = report.Manifest.Files.Count;
        if (report.Passed) Say($"verified: {files} files are what the manifest says");
        if (report.Problems.Count > 0) Say($"FAILED: {report.Problems.Count} of {files} files are not what the manifest says");
        if (report.Unhashed.Count > 0) Say($"NOT VERIFIED: {report.Unhashed.Count} of {files} files were written with --no-checksums, so nothing says whether their weights are sound: {NextStep(report.Manifest.Command)}");

        void Say(string line) => terminal.Out.WriteLine(DisplayWidth.Wrap(line, terminal.Width, 2));
    }

    private static string NextStep(string command) =>
        command == "dequantize" ? "dequantize again without it" : "quantize again without it, or verify with --source";
}
