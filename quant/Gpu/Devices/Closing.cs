namespace Bnb.Quant.Gpu.Devices;

/// <summary>Gives back what a driver lent. After a device error most of its calls fail, and what they say must not replace
/// the error under way.</summary>
internal static class Closing
{
    /// <summary>Runs every step in this order, whether those before it failed or not. Never throws.</summary>
    public static void AttemptAll(IEnumerable<Action> steps)
    {
        foreach (Action step in steps) Attempt(step);
    }

    /// <summary>Runs a step, whatever becomes of it.</summary>
    public static void Attempt(Action step)
    {
        try
        {
            step();
        }
        catch (Exception)
        {
            // What the driver refuses to free it frees with the process.
        }
    }
}
