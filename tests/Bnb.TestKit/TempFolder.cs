namespace Bnb.TestKit;

/// <summary>A fresh folder under the machine's temp path, deleted with everything in it on <see cref="Dispose"/>.</summary>
public sealed class TempFolder : IDisposable
{
    /// <summary>Absolute path of the folder.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("bnb-test-").FullName;

    /// <summary>Absolute path of a file or folder inside.</summary>
    public string this[params string[] parts] => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Writes a file inside and returns its path; missing parent folders are created.</summary>
    public string Write(string name, ReadOnlySpan<byte> bytes)
    {
        string path = this[name];
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }
}
