using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Text;

/// <summary>Reads a file that the user names on the command line, whole.</summary>
internal static class NamedFile
{
    private const int PieceBytes = 64 * 1024;

    /// <returns>Null when it cannot be had; <paramref name="wrong"/> says why, in words.</returns>
    /// <exception cref="IOException">The device reported an error.</exception>
    public static byte[]? TryRead(string path, long mostBytes, out string wrong)
    {
        if (IsEndless(path))
        {
            wrong = "this is no regular file";
            return null;
        }

        try
        {
            // Not by the file's length, which is 0 for a pipe such as the shell's <(...) and may change while it is read.
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using MemoryStream text = new();
            byte[] piece = new byte[PieceBytes];
            for (int count; (count = file.Read(piece)) > 0;)
            {
                text.Write(piece, 0, count);
                if (text.Length <= mostBytes) continue;
                wrong = $"the file is too long: at most {ByteSize.Exact(mostBytes)} bytes";
                return null;
            }

            wrong = "";
            return text.ToArray();
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            wrong = "there is no such file";
        }
        catch (UnauthorizedAccessException)
        {
            wrong = Directory.Exists(path) ? "this is a folder" : "permission denied";
        }

        return null;
    }

    /// <summary>Whether a path leads to what is neither a file nor a folder: a pipe, a device, a socket.</summary>
    public static bool IsIrregular(string path)
    {
        try
        {
            PositionedFile.Open(path).Dispose();
            return false;
        }
        catch (CheckpointFormatException error)
        {
            // Whatever else is wrong is said when it is read.
            return error.Error == FormatError.FileIsNotRegular && !Directory.Exists(path);
        }
    }

    /// <summary>What the shell makes of <c>&lt;(...)</c> and <c>&gt;(...)</c>, which has somebody on its other side.</summary>
    public static bool IsOfTheShell(string path) => path.StartsWith("/dev/fd/", StringComparison.Ordinal) || path.StartsWith("/proc/", StringComparison.Ordinal)
        || path is "/dev/stdin" or "/dev/stdout" or "/dev/stderr";

    /// <summary>A named pipe without a writer, or a device, would be waited for without a word.</summary>
    private static bool IsEndless(string path) => !IsOfTheShell(path) && IsIrregular(path);
}
