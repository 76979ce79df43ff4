using System.Text;

namespace Bnb.Formats.Primitives;

/// <summary>
/// A file or folder breaks a rule. Carries what a message needs: the rule, one line that says what and where, facts, and one
/// thing to do. Texts taken from files are escaped already in <see cref="Summary"/> and <see cref="Facts"/>, not in
/// <see cref="File"/> and <see cref="Tensor"/>.
/// </summary>
public sealed class CheckpointFormatException : Exception
{
    /// <summary>Makes the exception from its parts.</summary>
    public CheckpointFormatException(
        FormatError error,
        string summary,
        string? file = null,
        string? tensor = null,
        IReadOnlyList<(string Label, string Value)>? facts = null,
        string? action = null,
        Exception? inner = null)
        : base(null, inner)
    {
        Error = error;
        Summary = summary;
        File = file;
        Tensor = tensor;
        Facts = facts ?? [];
        Action = action;
    }

    /// <summary>The rule that is broken.</summary>
    public FormatError Error { get; }

    /// <summary>The first line of the message: what is wrong, and where.</summary>
    public string Summary { get; }

    /// <summary>The file or folder, as it was opened; not escaped.</summary>
    public string? File { get; }

    /// <summary>The tensor's name; not escaped, any length.</summary>
    public string? Tensor { get; }

    /// <summary>Found and expected values, in the order to show them.</summary>
    public IReadOnlyList<(string Label, string Value)> Facts { get; }

    /// <summary>One thing the user can do, or null.</summary>
    public string? Action { get; }

    /// <summary>Code, summary and facts on one line, without control characters.</summary>
    public override string Message
    {
        get
        {
            StringBuilder text = new($"{Error.Code()}: {Summary}");
            if (File is not null) text.Append("; file ").Append(DisplayText.Escape(File));
            if (Tensor is not null) text.Append("; tensor ").Append(DisplayText.Escape(Tensor));
            foreach ((string label, string value) in Facts) text.Append("; ").Append(label).Append(' ').Append(value);
            return text.ToString();
        }
    }
}
