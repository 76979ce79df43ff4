
namespace Bnb.Engine.Evaluating.Families;

/// <summary>A weight as a layer wants it: [rows, columns], outputs first; a vector has one column.</summary>
/// <param name="Name">The tensor's full name.</param>
/// <param name="Rows">Output features, or values of a vector.</param>
/// <param name="Columns">Input features, or 1.</param>
internal sealed record WeightUse(string Name, int Rows, int Columns)
{
    /// <summary>Whether a plain tensor is stored as [columns, rows]: GPT-2's Conv1D, the fused experts of gpt_oss. Quantized
    /// weights always have outputs first.</summary>
    public bool InputsFirst { get; init; }

    /// <summary>The matrix within a tensor [matrices, ...]; null for a tensor that is one matrix.</summary>
    public int? Index { get; init; }

    /// <summary>Values of the matrix.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>A vector.</summary>
    public static WeightUse Vector(string name, int length) => new(name, length, 1);
}
