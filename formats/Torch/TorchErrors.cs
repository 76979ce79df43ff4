using System.Globalization;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>Makes the exceptions of one PyTorch file, so that each of them names the file.</summary>
internal sealed class TorchErrors(string file)
{
    private const string DownloadAgain = "download this file again";

    // Said wherever code could have run: what frightens people most is whether it did.
    private const string NothingRan = "nothing of the file was executed; get safetensors weights from a publisher you trust";

    private const string Convert =
        "load it in Python and save it again: torch.save(model.state_dict(), \"pytorch_model.bin\"), or as safetensors";

    private string ShortFile { get; } = FileProbe.ShortName(file);

    /// <summary>The file cannot be what its publisher made.</summary>
    public CheckpointFormatException Damaged(FormatError error, string what, params (string Label, string Value)[] facts) =>
        new(error, $"{ShortFile}: {what}", file, facts: facts, action: DownloadAgain);

    /// <summary>As <see cref="Damaged(FormatError, string, ValueTuple{string, string}[])"/> about one tensor.</summary>
    public CheckpointFormatException Damaged(
        FormatError error, string tensor, string what, params (string Label, string Value)[] facts) =>
        new(error, $"{ShortFile}: tensor {DisplayText.Escape(tensor)}: {what}", file, tensor, facts, DownloadAgain);

    /// <summary>The file wants something that weights never need.</summary>
    public CheckpointFormatException Unsafe(FormatError error, string what, params (string Label, string Value)[] facts) =>
        new(error, $"{ShortFile}: {what}", file, facts: facts, action: NothingRan);

    /// <summary>As <see cref="Unsafe(FormatError, string, ValueTuple{string, string}[])"/> about one tensor.</summary>
    public CheckpointFormatException Unsafe(
        FormatError error, string tensor, string what, params (string Label, string Value)[] facts) =>
        new(error, $"{ShortFile}: tensor {DisplayText.Escape(tensor)}: {what}", file, tensor, facts, NothingRan);

    /// <summary>The file is fine and not read here.</summary>
    public CheckpointFormatException Unsupported(string what, params (string Label, string Value)[] facts) =>
        new(FormatError.TorchUnsupported, $"{ShortFile}: {what}", file, facts: facts, action: Convert);

    /// <summary>As <see cref="Unsupported(string, ValueTuple{string, string}[])"/> about one tensor.</summary>
    public CheckpointFormatException Unsupported(string tensor, string what) => new(
        FormatError.TorchUnsupported,
        $"{ShortFile}: tensor {DisplayText.Escape(tensor)} is {what}, which is not read",
        file,
        tensor,
        action: Convert);

    /// <summary>A number as text.</summary>
    public static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
