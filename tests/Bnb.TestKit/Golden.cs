namespace Bnb.TestKit;

/// <summary>Finds the committed vectors in <c>tests/golden</c> from wherever the test assembly runs.</summary>
public static class Golden
{
    /// <summary>Absolute path of <c>tests/golden</c>.</summary>
    public static string Root { get; } = Path.Combine(TestsFolder(), "golden");

    /// <summary>Absolute path of the repository's root folder.</summary>
    public static string RepositoryRoot { get; } = Path.GetFullPath(Path.Combine(TestsFolder(), ".."));

    /// <summary>Path of one golden file, by parts below <see cref="Root"/>.</summary>
    public static string File(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string TestsFolder()
    {
        // The compiled-in source path is wrong under deterministic CI builds (/_/...), so walk up from the binary.
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, "tests", "golden");
            if (Directory.Exists(candidate)) return Path.Combine(folder.FullName, "tests");
        }

        throw new DirectoryNotFoundException($"no tests/golden above {AppContext.BaseDirectory}");
    }
}
