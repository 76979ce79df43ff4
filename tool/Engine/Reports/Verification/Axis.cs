namespace Bnb.Engine.Reports.Verification;

/// <summary>One axis of a chart: a range of values laid over a range of coordinates.</summary>
/// <param name="From">Coordinate of <paramref name="Least"/>; may be the larger one, as on a vertical axis.</param>
/// <param name="Log">Equal ratios take equal room; both ends are then positive.</param>
internal readonly record struct Axis(double Least, double Most, double From, double To, bool Log = false)
{
    /// <summary>The coordinate of a value; values outside the range land on its end.</summary>
    public double Place(double value)
    {
        double share = Log
            ? Math.Log(value / Least) / Math.Log(Most / Least)
            : (value - Least) / (Most - Least);
        return From + Math.Clamp(share, 0, 1) * (To - From);
    }

    /// <summary>Round values within the range, about as many as asked for.</summary>
    public IReadOnlyList<double> Ticks(int about)
    {
        if (Log) return LogTicks(about);
        double rough = (Most - Least) / about;
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = power * (rough / power) switch { <= 1.5 => 1, <= 3.5 => 2, <= 7.5 => 5, _ => 10 };
        List<double> ticks = [];
        // Multiples, not sums, so that the ticks carry no rounding errors into their labels.
        for (double i = Math.Ceiling(Least / step); i * step <= Most + step * 1e-9 && ticks.Count < 50; i++) ticks.Add(i * step);
        return ticks;
    }

    private List<double> LogTicks(int about)
    {
        double decades = Math.Log10(Most / Least);
        double[] factors = decades < about / 2.0 ? [1, 2, 5] : [1];
        int every = Math.Max(1, (int)Math.Ceiling(decades / about));
        List<double> ticks = [];
        for (int power = (int)Math.Floor(Math.Log10(Least)); power <= Math.Log10(Most) && ticks.Count < 50; power += every)
        {
            foreach (double factor in factors)
            {
                double tick = factor * Math.Pow(10, power);
                if (tick >= Least && tick <= Most) ticks.Add(tick);
            }
        }

        return ticks;
    }
}
