using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>Makes the exceptions of one pickle, with its name in the file and a position in it.</summary>
internal sealed class PickleErrors(TorchErrors file, string record)
{
    /// <summary>The pickle breaks a rule of the format.</summary>
    public CheckpointFormatException Malformed(long position, string what, params (string Label, string Value)[] facts) =>
        file.Damaged(FormatError.PickleMalformed, $"{record} {what}", [.. At(position), .. facts]);

    /// <summary>The pickle does to a value what only an attack does.</summary>
    public CheckpointFormatException Unsafe(long position, string what) =>
        file.Unsafe(FormatError.PickleUnsafe, $"{record} {what}", At(position));

    /// <summary>The pickle names something that is not on the list.</summary>
    public CheckpointFormatException Global(long position, string module, string name)
    {
        // A whole module was saved, not its state dict: no attack, and there is something the publisher can do.
        string hint = module == "__main__" ? "; a whole model was saved and not its state_dict()" : "";
        return file.Unsafe(
            FormatError.PickleGlobal,
            $"{record} names {DisplayText.Escape(module)}.{DisplayText.Escape(name)}, which no weights need{hint}",
            At(position));
    }

    /// <summary>The pickle has an opcode that is not on the list.</summary>
    public CheckpointFormatException Opcode(long position, string what) =>
        file.Unsafe(FormatError.PickleOpcode, $"{record} {what}", At(position));

    private static (string, string)[] At(long position) => [("at byte", TorchErrors.Number(position))];
}
