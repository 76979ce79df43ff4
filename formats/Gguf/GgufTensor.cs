namespace Bnb.Formats.Gguf;

/// <summary>One tensor of a GGUF file as its header says it.</summary>
/// <param name="Name">Not escaped.</param>
/// <param name="Dimensions">The fastest changing one first, as GGUF counts them.</param>
/// <param name="Type">ggml's number of the element type; 0 is float32.</param>
/// <param name="Offset">Of its first byte in the file.</param>
internal sealed record GgufTensor(string Name, IReadOnlyList<long> Dimensions, uint Type, long Offset)
{
    /// <summary>ggml's number of float32.</summary>
    public const uint Float32 = 0;

    /// <summary>Product of the dimensions.</summary>
    public long ElementCount => Dimensions.Aggregate(1L, static (product, dimension) => checked(product * dimension));
}
