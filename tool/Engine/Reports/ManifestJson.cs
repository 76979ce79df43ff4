using Bnb.Engine.Manifests;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>verify --manifest</c> as one JSON line.</summary>
internal static class ManifestJson
{
    public static string Of(ManifestReport report) => JsonLine.Of(json =>
    {
        json.WriteString("type", "manifest");
        json.WriteString("path", report.Folder);
        json.WriteBoolean("passed", report.Passed);
        json.WriteString("tool", report.Manifest.Tool);
        json.WriteString("command", report.Manifest.Command);
        json.WriteString("plan", report.Manifest.Plan);
        json.WriteNumber("files_checked", report.Manifest.Files.Count);
        json.WriteStartArray("mismatches");
        foreach (ManifestProblem problem in report.Problems)
        {
            json.WriteStartObject();
            json.WriteString("name", problem.Name);
            json.WriteString("problem", problem.Problem);
            json.WriteString("expected", problem.Expected);
            json.WriteString("found", problem.Found);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("unchecked");
        foreach (string name in report.Unhashed) json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteStartArray("unlisted");
        foreach (string name in report.Unlisted) json.WriteStringValue(name);
        json.WriteEndArray();
    });
}
