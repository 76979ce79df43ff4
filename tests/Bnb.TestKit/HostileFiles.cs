using System.Runtime.InteropServices;
using System.Text;

namespace Bnb.TestKit;

/// <summary>One input that must be refused.</summary>
/// <param name="Name">What it is, as the catalogue in docs/formats.md names it.</param>
/// <param name="Code">The error code that must appear.</param>
/// <param name="Exit">The exit code of the tool.</param>
/// <param name="Build">Makes it in a folder and returns the path to give to the tool.</param>
public sealed record HostileCase(string Name, string Code, int Exit, Func<TempFolder, string> Build)
{
    /// <summary>Its number in the catalogue of docs/reliability.md; 0 where only the name leads there.</summary>
    public int Number { get; init; }

    /// <summary>Why the case cannot be made here, or null.</summary>
    public string? SkipReason { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>One input that must be accepted: too strict is broken, too.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Build">Makes it in a folder and returns the path to give to the tool.</param>
public sealed record AcceptedCase(string Name, Func<TempFolder, string> Build)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Bad files and folders, each with the error it must give, and odd ones that are fine.</summary>
public static partial class HostileFiles
{
    /// <summary>A header of one tensor of 16 bytes.</summary>
    private const string Basic = """{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}""";

    /// <summary>Every input that must be refused.</summary>
    public static IReadOnlyList<HostileCase> All { get; } = [.. Prefixes(), .. Json(), .. Entries(), .. Offsets(), .. NotTheFile(), .. Folders(), .. TorchContainers(), .. TorchPickles(), .. TorchTensors()];

    /// <summary>Every input that must be accepted.</summary>
    public static IReadOnlyList<AcceptedCase> Accepted { get; } = [.. AcceptedFiles(), .. AcceptedFolders(), .. AcceptedTorchFiles()];

    /// <summary>Position-dependent bytes.</summary>
    private static byte[] Data(int count) => [.. Enumerable.Range(0, count).Select(i => (byte)((i * 11) + 1))];

    /// <summary>A case of a model folder whose only weight file has these bytes.</summary>
    private static HostileCase File(string name, string code, Func<byte[]> bytes, int exit = 4) =>
        new(name, code, exit, temp => ModelOf(temp, bytes()));

    /// <summary>As <see cref="File"/> from a header's text and the number of data bytes.</summary>
    private static HostileCase Header(string name, string code, string header, int dataBytes = 16) =>
        File(name, code, () => CheckpointBuilder.Raw(header, Data(dataBytes)));

    /// <summary>As <see cref="Header"/> with one tensor entry given by its members.</summary>
    private static HostileCase Entry(string name, string code, string members, int dataBytes = 16) =>
        Header(name, code, $$"""{"a":{{members}}}""", dataBytes);

    private static string ModelOf(TempFolder temp, byte[] weights, string weightsName = "model.safetensors")
    {
        temp.Write("model/config.json", Encoding.UTF8.GetBytes(CheckpointBuilder.LlamaConfig));
        temp.Write("model/" + weightsName, weights);
        return temp["model"];
    }

    private static byte[] Prefixed(ulong length, ReadOnlySpan<byte> rest) => [.. BitConverter.GetBytes(length), .. rest];

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Makes a named pipe.</summary>
    public static string Pipe(string path) =>
        mkfifo(path, 0x1b6) == 0 ? path : throw new IOException($"mkfifo {path}: {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkfifo(string path, uint mode);

    [LibraryImport("libc")]
    private static partial uint geteuid();
}
