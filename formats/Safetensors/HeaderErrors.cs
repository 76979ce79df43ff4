using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Bnb.Formats.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>Makes the exceptions of one header, so that each of them names the file.</summary>
internal sealed class HeaderErrors(string file)
{
    private const string DownloadAgain = "download this file again";

    private string ShortFile { get; } = IO.FileProbe.ShortName(file);

    /// <summary>An error of the file as a whole.</summary>
    public CheckpointFormatException Of(FormatError error, string what, params (string Label, string Value)[] facts) =>
        new(error, $"{ShortFile}: {what}", file, facts: facts, action: DownloadAgain);

    /// <summary>An error of one tensor.</summary>
    public CheckpointFormatException Of(
        FormatError error, string tensor, string what, params (string Label, string Value)[] facts) =>
        new(error, $"{ShortFile}: tensor {DisplayText.Escape(tensor)}: {what}", file, tensor, facts, DownloadAgain);

    /// <summary>The error for JSON that cannot be read, with the reader's position.</summary>
    public CheckpointFormatException Json(JsonException inner) => new(
        FormatError.SafetensorsNotJson,
        $"{ShortFile}: the header is not one JSON object",
        file,
        facts:
        [
            ("position", JsonPosition.Text(inner)),
            ("expected", DisplayText.Escape(JsonPosition.Reason(inner))),
        ],
        action: DownloadAgain,
        inner: inner);

    /// <summary>The first rule of a header.</summary>
    /// <exception cref="CheckpointFormatException">ST-UTF8.</exception>
    public void ThrowIfNotUtf8(ReadOnlySpan<byte> json)
    {
        if (Utf8.IsValid(json)) return;
        string at = JsonPosition.FirstInvalidUtf8(json).ToString(CultureInfo.InvariantCulture);
        throw Of(FormatError.SafetensorsNotUtf8, "the header is not UTF-8", ("first bad byte", $"at {at} of the header"));
    }
}
