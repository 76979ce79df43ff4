using Bnb.Engine.Errors;

namespace Bnb.Cli.Errors;

/// <summary>
/// Safetensors files are little-endian. What is read and written as numbers goes through little-endian calls, but weights are handed to the
/// kernels as they lie in memory, which nobody has run on a machine of the other order: it is refused before anything is looked at.
/// </summary>
internal static class ByteOrder
{
    /// <param name="isLittleEndian">Of this machine.</param>
    /// <returns>Null where the tool runs.</returns>
    public static UserErrorException? Refusal(bool isLittleEndian) => isLittleEndian
        ? null
        : new UserErrorException(ExitCode.InputUnsupported, "BIG-ENDIAN", "this machine stores the high byte of a number first; weights are stored low byte first")
        {
            Action = "run it on x86-64 or ARM64",
        };
}
