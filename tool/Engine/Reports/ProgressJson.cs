using Bnb.Engine.Events;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports;

/// <summary>One moment of a run as a JSON line, for schedulers that show how far a job is.</summary>
internal static class ProgressJson
{
    public static string Of(PipelineProgress progress, TimeSpan elapsed) => JsonLine.Of(json =>
    {
        json.WriteString("type", "progress");
        json.WriteNumber("bytes_done", progress.BytesDone);
        json.WriteNumber("bytes_total", progress.BytesTotal);
        json.WriteNumber("tensors_begun", progress.TensorsBegun);
        json.WriteString("current", progress.Current);
        json.WriteNumber("seconds", Math.Round(elapsed.TotalSeconds, 3));
    });
}
