using System.Globalization;
using Bnb.Engine.Text;

namespace Bnb.Cli.Terminal;

/// <summary>One moment of a run in words: share, bytes, rate, time left, the tensor in hand.</summary>
/// <param name="Done">Source bytes read so far.</param>
/// <param name="Total">Source bytes to read.</param>
/// <param name="Elapsed">Since the first byte.</param>
/// <param name="Tensor">Name of the tensor begun last.</param>
internal readonly record struct ProgressLine(long Done, long Total, TimeSpan Elapsed, string Tensor)
{
    private const string Gap = "  ";
    private const int LongestBar = 24;
    private const int ShortestBar = 8;
    private const int ShortestName = 16;

    public double Share => Total == 0 ? 1 : (double)Done / Total;

    public string Bytes => $"{ByteSize.Format(Done)} of {ByteSize.Format(Total)}";

    public string Rate => Elapsed.TotalSeconds < 0.05 ? "" : ByteSize.Format((long)(Done / Elapsed.TotalSeconds)) + "/s";

    /// <summary>Empty until there is something to extrapolate from.</summary>
    public string TimeLeft
    {
        get
        {
            if (Done == 0 || Elapsed.TotalSeconds < 0.5) return "";
            double seconds = Elapsed.TotalSeconds * (Total - Done) / Done;
            return seconds < 3600
                ? string.Create(CultureInfo.InvariantCulture, $"{(int)seconds / 60}:{(int)seconds % 60:D2} left")
                : string.Create(CultureInfo.InvariantCulture, $"{(int)(seconds / 3600)} h {(int)(seconds / 60) % 60:D2} min left");
        }
    }

    private string Percent => Share.ToString("P0", CultureInfo.InvariantCulture).PadLeft(5);

    /// <summary>The line for a log, as long as it is.</summary>
    public override string ToString() => Joined(Percent, Bytes, Rate, TimeLeft, Tensor);

    /// <summary>
    /// The line for a screen, never longer than <paramref name="width"/>. The name of the tensor gives way first, then the rate,
    /// the bytes, the bar and the time; the percentage stays.
    /// </summary>
    public string Fit(int width)
    {
        string words = Joined(Percent, Bytes, Rate, TimeLeft);
        int room = width - words.Length - Gap.Length;
        if (room >= ShortestBar)
        {
            int bar = Math.Min(LongestBar, Math.Max(ShortestBar, room - Gap.Length - ShortestName));
            string line = Bar(bar) + Gap + words;
            int name = width - line.Length - Gap.Length;
            return name >= ShortestName && Tensor.Length > 0 ? line + Gap + DisplayWidth.CutMiddle(Tensor, name) : line;
        }

        string[] shorter = [words, Joined(Percent, Bytes, TimeLeft), Joined(Percent, TimeLeft)];
        string fits = shorter.FirstOrDefault(text => text.Length <= width) ?? Percent.Trim();
        int left = width - fits.Length - Gap.Length;
        return left >= ShortestBar ? Bar(Math.Min(LongestBar, left)) + Gap + fits : fits.Length <= width ? fits : "";
    }

    private static string Joined(params ReadOnlySpan<string> parts)
    {
        List<string> given = [];
        foreach (string part in parts)
        {
            if (part.Length > 0) given.Add(part);
        }

        return string.Join(Gap, given);
    }

    private string Bar(int columns)
    {
        int full = (int)(Math.Clamp(Share, 0, 1) * columns);
        return new string('━', full) + new string('╌', columns - full);
    }
}
