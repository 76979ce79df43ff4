namespace Bnb.Formats.Primitives;

/// <summary>One tensor as a header describes it.</summary>
/// <param name="Name">Its key, any text.</param>
/// <param name="DType">How its elements are stored.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Begin">First byte, counted from the start of the data section.</param>
/// <param name="End">First byte after it, counted the same way.</param>
public sealed record TensorInfo(string Name, DType DType, TensorShape Shape, long Begin, long End)
{
    /// <summary>Bytes it takes.</summary>
    public long ByteCount => End - Begin;
}
