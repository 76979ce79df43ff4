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

    public override string ToString()
    {
        string percent = Share.ToString("P0", CultureInfo.InvariantCulture);
        return string.Join("  ", new[] { percent.PadLeft(5), Bytes, Rate, TimeLeft, Tensor }.Where(part => part.Length > 0));
    }
}
