using Bnb.Engine.Errors;
using Bnb.Quant.Backends;

namespace Bnb.Engine.Devices;

/// <summary>Which CPU kernels run.</summary>
internal static class KernelChoice
{
    /// <summary>The kernel path that the environment forces, or the best one.</summary>
    /// <exception cref="UserErrorException">The environment names a path that does not exist or cannot run here.</exception>
    public static KernelPath Selected()
    {
        try
        {
            return KernelPaths.Selected;
        }
        catch (InvalidOperationException unknown)
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", unknown.Message, unknown)
            {
                Action = $"unset {KernelPaths.Variable}, or name one of these paths",
            };
        }
    }
}
