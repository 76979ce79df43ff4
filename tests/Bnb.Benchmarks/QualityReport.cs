using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;

namespace Bnb.Benchmarks;

/// <summary>The tables of docs/quality.md: relative squared error of each form on weights of three distributions, and what each
/// costs a trained model.</summary>
internal static class QualityReport
{
    private const int Count = 1 << 22;
    private const int Columns = 4096;

    private static readonly (string Name, Func<Random, double> Draw)[] Distributions =
        [("normal", Normal), ("Laplace", Laplace), ("Student t, 5", Student)];

    public static int Run(string path)
    {
        WriteBetween(path, "<!-- begin -->", Table());
        WriteBetween(path, "<!-- begin trained -->", TrainedQuality.Table());
        WriteBetween(path, "<!-- begin plan -->", PlanQuality.Table());
        return Draw(path);
    }

    /// <summary>Draws the table that a page has, without measuring again.</summary>
    public static int Draw(string path)
    {
        IEnumerable<string> rows = File.ReadLines(path).SkipWhile(line => line != "<!-- begin -->").TakeWhile(line => line != "<!-- end -->").Skip(3);
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "pictures", "forms.svg"), QualityPicture.Of(rows));
        return 0;
    }

    /// <summary>Sums of squares: what decoding leaves of these values, and theirs.</summary>
    public static (double Error, double Energy) Squares(ReadOnlySpan<float> values, ReadOnlySpan<float> decoded)
    {
        double error = 0, energy = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double rest = values[i] - decoded[i];
            error += rest * rest;
            energy += (double)values[i] * values[i];
        }

        return (error, energy);
    }

    public static string Error(double error) => error.ToString("0.000000", CultureInfo.InvariantCulture);

    internal static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static string Table()
    {
        List<float[]> samples = [.. Distributions.Select(distribution => Sample(distribution.Draw))];
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"| form | bits per weight | {string.Join(" | ", Distributions.Select(distribution => distribution.Name))} |");
        text.AppendLine("|---|---:|---:|---:|---:|");
        foreach (QualityForm form in QualityForm.All)
        {
            Quantization weight = form.Recipe.For(DType.F32, Count / Columns, Columns, transpose: false) with { Scale = form.Recipe.Scale };
            IEnumerable<string> errors = samples.Select(values => Error(Relative(weight, values)));
            text.AppendLine(CultureInfo.InvariantCulture, $"| {form.Name} | {QualityForm.Bits([weight])} | {string.Join(" | ", errors)} |");
        }

        return text.ToString();
    }

    private static double Relative(Quantization weight, float[] values)
    {
        var decoded = new float[values.Length];
        RoundTrip.Of(weight, MemoryMarshal.AsBytes(values.AsSpan()), 0, decoded, KernelPaths.Selected);
        (double error, double energy) = Squares(values, decoded);
        return error / energy;
    }

    private static float[] Sample(Func<Random, double> draw)
    {
        var random = new Random(20231027);
        var values = new float[Count];
        for (int i = 0; i < Count; i++) values[i] = (float)(draw(random) * 0.02);
        return values;
    }

    private static void WriteBetween(string path, string begin, string text)
    {
        const string end = "<!-- end -->";
        string page = File.ReadAllText(path);
        int from = page.IndexOf(begin + "\n", StringComparison.Ordinal) + begin.Length + 1, to = page.IndexOf(end, from, StringComparison.Ordinal);
        File.WriteAllText(path, page[..from] + text.ReplaceLineEndings("\n") + page[to..]);
    }

    private static double Laplace(Random random)
    {
        double uniform = random.NextDouble() - 0.5;
        return -Math.Sign(uniform) * Math.Log(1 - (2 * Math.Abs(uniform)));
    }

    private static double Student(Random random)
    {
        double squares = 0;
        for (int i = 0; i < 5; i++) squares += Math.Pow(Normal(random), 2);
        return Normal(random) / Math.Sqrt(squares / 5);
    }
}
