
namespace Bnb.Benchmarks;

/// <summary>The PTX of every kernel instance as a file, so that anyone can assemble it: <c>ptxas -v -arch=sm_80 FILE</c>, or a
/// newer architecture. Needs no device.</summary>
internal static class PtxFiles
{
    public static int Write(string folder)
    {
        Directory.CreateDirectory(folder);
        int count = 0;
        foreach ((string name, string ptx) in PtxListing.All())
        {
            string file = name.Replace('<', '.').Replace(",", "-", StringComparison.Ordinal).TrimEnd('>').TrimEnd('.');
            File.WriteAllText(Path.Combine(folder, file + ".ptx"), ptx);
            count++;
        }

        Console.WriteLine($"{count} kernels written to {folder}");
        return 0;
    }
}
