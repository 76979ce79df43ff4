using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Formats.Checkpoints;

namespace Bnb.Tool.Tests.Output;

/// <summary>The staging folder of a run that has begun, held by this process.</summary>
internal static class OpenStaging
{
    public static StagingFolder Of(string source, string output, bool overwrite = false)
    {
        Checkpoint checkpoint = Checkpoint.Open(source, requireConfig: true);
        var request = new QuantizeRequest { SourcePath = source, OutputPath = output };
        PlanRecord plan = PlanRecord.Of(QuantizePlan.Make(request, checkpoint));
        return StagingFolder.Open(OutputPlace.Of(output), plan, SourceRecord.StateOf(checkpoint.Files), new WriteMode(overwrite), NoEvents.Instance);
    }

    /// <summary>Copies a folder, as a kill would leave it, while its run is still held.</summary>
    public static void CopyTree(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string folder in Directory.EnumerateDirectories(from)) CopyTree(folder, Path.Combine(to, Path.GetFileName(folder)));
        foreach (string file in Directory.EnumerateFiles(from)) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
