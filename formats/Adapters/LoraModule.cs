using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Adapters;

/// <summary>
/// What an adapter adds to one weight: scaling * B A for a linear layer, scaling * (B A)^T for an embedding.
/// </summary>
/// <param name="Module">The module's name in the base.</param>
/// <param name="A">[rank, in], of an embedding [rank, entries].</param>
/// <param name="B">[out, rank], of an embedding [width, rank].</param>
/// <param name="IsEmbedding">True for <c>lora_embedding_A</c> and <c>lora_embedding_B</c>.</param>
/// <param name="Scaling">What the product is multiplied with.</param>
public sealed record LoraModule(string Module, CheckpointTensor A, CheckpointTensor B, bool IsEmbedding, double Scaling)
{
    internal const string Base = "base_layer";
    private const string PartA = "lora_A";
    private const string PartB = "lora_B";
    private const string EmbeddingA = "lora_embedding_A";
    private const string EmbeddingB = "lora_embedding_B";
    private const string MagnitudeVector = "lora_magnitude_vector";

    internal static readonly string[] AllParts = [PartA, PartB, EmbeddingA, EmbeddingB, MagnitudeVector, Base];

    /// <summary>Length of each row of the merged weight, [out], of an embedding of each column, [width] (DoRA), or null.</summary>
    public CheckpointTensor? Magnitude { get; init; }

    /// <summary>The base's own weight as the adapter has it (a resized embedding, or the same once more), or null.</summary>
    public CheckpointTensor? BaseWeight { get; init; }

    /// <summary>The rank.</summary>
    public long Rank => A.Shape[0];

    /// <summary>Name of the weight in the base.</summary>
    public string WeightName => Module + ".weight";

    /// <summary>Every tensor of the adapter that is read for it.</summary>
    public IEnumerable<CheckpointTensor> Parts => new[] { A, B, Magnitude }.OfType<CheckpointTensor>();

    internal static LoraModule Of(string module, Dictionary<string, CheckpointTensor> parts, LoraConfig config)
    {
        bool isEmbedding = parts.ContainsKey(EmbeddingA) || parts.ContainsKey(EmbeddingB);
        (string nameA, string nameB) = isEmbedding ? (EmbeddingA, EmbeddingB) : (PartA, PartB);
        CheckpointTensor any = parts.Values.First();
        if (!parts.TryGetValue(nameA, out CheckpointTensor? a) || !parts.TryGetValue(nameB, out CheckpointTensor? b))
            throw LoraAdapter.Malformed(any, $"has no {(parts.ContainsKey(nameA) ? nameB : nameA)} beside it");
        foreach (CheckpointTensor matrix in (CheckpointTensor[])[a, b])
        {
            if (matrix.Shape.Rank != 2 || !IsFloat(matrix.DType))
                throw LoraAdapter.Malformed(matrix, $"is {matrix.DType.Name()} {matrix.Shape}, expected a matrix of floats");
        }

        if (a.Shape[0] == 0 || a.Shape[0] != b.Shape[1])
            throw LoraAdapter.Malformed(b, $"is {b.Shape} beside {a.Shape}: the ranks differ");
        CheckpointTensor? magnitude = parts.GetValueOrDefault(MagnitudeVector);
        if (config.IsDora != magnitude is not null)
            throw LoraAdapter.Malformed(any, magnitude is null ? "has no lora_magnitude_vector beside it, which use_dora wants" : "has a lora_magnitude_vector without use_dora");
        if (magnitude is not null && (magnitude.Shape.ElementCount != b.Shape[0] || !IsFloat(magnitude.DType)))
            throw LoraAdapter.Malformed(magnitude, $"is {magnitude.DType.Name()} {magnitude.Shape}, expected {b.Shape[0]} floats");
        return new LoraModule(module, a, b, isEmbedding, config.Scaling(module, a.Shape[0]))
        {
            Magnitude = magnitude,
            BaseWeight = parts.GetValueOrDefault(Base),
        };
    }

    private static bool IsFloat(DType dtype) => dtype is DType.F16 or DType.BF16 or DType.F32;
}
