using Bnb.Cli.Screens;
using Bnb.Engine.Quantizing;

namespace Bnb.Cli.Commands;

/// <summary>
/// What the end of a short run waits for, done on another core at its start: half of such a run goes into the runtime's loading of
/// types and code, one after the other. Nothing depends on it, and it touches no file of the user's.
/// </summary>
internal static class Ahead
{
    /// <summary>Begins, and does not wait.</summary>
    public static void Begin()
    {
        if (Environment.ProcessorCount == 1) return;
        new Thread(Prepare) { IsBackground = true, Name = "ahead" }.Start();
    }

    private static void Prepare()
    {
        try
        {
            TableConsole.Prepare();
            QuantizeAhead.Prepare();
        }
        catch (Exception)
        {
            // Whoever needs it meets the same failure again, and says so in its place.
        }
    }
}
