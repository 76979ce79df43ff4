namespace Bnb.Engine.Splitting;

/// <summary>One expert's matrix in a stack.</summary>
/// <param name="Name">Name of the weight.</param>
/// <param name="Rows">Output features.</param>
/// <param name="Columns">Input features.</param>
/// <param name="First">Index of its first value in the flat stack.</param>
/// <param name="ColumnStride">Values from one column to the next where the stack has matrices as [in, out]; 0 where as [out, in].</param>
internal sealed record ExpertPart(string Name, long Rows, long Columns, long First, long ColumnStride);
