namespace Bnb.Formats.Primitives;

/// <summary>What a reader can do about a <see cref="FormatError"/>; the tool turns it into an exit code.</summary>
public enum FormatErrorKind
{
    /// <summary>Something is not there, not readable, or not a regular file: fix the input folder.</summary>
    Missing,

    /// <summary>The bytes break a rule of their format: fetch or make the file again.</summary>
    Malformed,

    /// <summary>Following the file would touch something outside of it: refused, whatever the user wants.</summary>
    Unsafe,

    /// <summary>A valid input that this product does not read: use another source.</summary>
    Unsupported,

    /// <summary>The bytes are not those that their checksum was made of: fetch the file again.</summary>
    Damaged,

    /// <summary>The input is not the one that was looked at before: start again.</summary>
    Changed,
}
