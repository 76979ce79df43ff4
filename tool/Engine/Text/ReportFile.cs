using System.Globalization;
using System.Text;
using Bnb.Engine.Errors;

namespace Bnb.Engine.Text;

/// <summary>One file that a report is written to.</summary>
internal static class ReportFile
{
    private const int LongestName = 255;

    /// <summary>Only looks: a run that fails later must leave an earlier report as it was.</summary>
    /// <exception cref="UserErrorException">REPORT-FILE: no file can be written there.</exception>
    public static void CheckPlace(string path)
    {
        string full = Path.GetFullPath(path);
        string? reason = Directory.Exists(full) ? "there is a folder of this name"
            : !Directory.Exists(Path.GetDirectoryName(full)) ? "its folder does not exist"
            // It would be replaced, not written to.
            : Path.Exists(full) && NamedFile.IsIrregular(full) ? "this is a pipe or a device"
            : Encoding.UTF8.GetByteCount(Path.GetFileName(full)) > LongestName ? "the name is longer than a file system takes"
            : ModelFile.IsAt(full) ? "it belongs to a model"
            : null;
        if (reason is null) return;
        throw new UserErrorException(ExitCode.OutputRefused, "REPORT-FILE", $"the file cannot be written: {reason}")
        {
            File = path,
            Action = reason.StartsWith("its", StringComparison.Ordinal) ? "create the folder, or name another file" : "name another file",
        };
    }

    /// <summary>Writes a text in UTF-8; a reader of an earlier file never sees half of the new one.</summary>
    public static void Write(string path, Action<TextWriter> write)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        write(text);
        Write(path, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false).GetBytes(text.ToString()));
    }

    /// <summary>The same for bytes.</summary>
    public static void Write(string path, byte[] bytes)
    {
        // Beside it first, then in one step in its place.
        string temp = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, $".t-{Guid.NewGuid():N}.tmp");
        try
        {
            // Not File.WriteAllBytes, which reserves the space and then loses the reason why there is none.
            using (var handle = File.OpenHandle(temp, FileMode.CreateNew, FileAccess.Write)) RandomAccess.Write(handle, bytes, 0);
            File.Move(temp, path, overwrite: true);
        }
        catch (Exception failed)
        {
            File.Delete(temp);
            // Named as the user named it.
            if (failed is IOException io) throw new IOException(io.Message.Replace(temp, path, StringComparison.Ordinal), io.HResult);
            throw;
        }
    }
}
