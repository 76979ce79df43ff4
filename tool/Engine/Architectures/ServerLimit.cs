namespace Bnb.Engine.Architectures;

/// <summary>What vLLM and SGLang cannot do with weights of bitsandbytes.</summary>
internal enum ServerLimit
{
    /// <summary>Packed bytes must be declared as uint8.</summary>
    StorageType,

    /// <summary>Its bitsandbytes layers run in float16 and bfloat16 only; about the whole model.</summary>
    Float32,

    /// <summary>Packed experts are read as nf4 only.</summary>
    PackedExpertType,

    /// <summary>All experts are taken for packed.</summary>
    PlainExperts,

    /// <summary>int8 scales of layers with capitals in their names are not found.</summary>
    Capitals,
}

/// <summary>A matrix as the servers see it.</summary>
/// <param name="Name">Name of the dense tensor.</param>
/// <param name="Type">Data type of bitsandbytes that it is packed in; null for a plain one.</param>
/// <param name="IsBytes">Its packed bytes are declared as uint8.</param>
internal readonly record struct ServedTensor(string Name, string? Type, bool IsBytes = true);

/// <summary>Finds what stops the servers; sources in docs/loaders.md.</summary>
internal static class ServerLimits
{
    /// <summary>Every limit that a tensor of a bitsandbytes checkpoint runs into, with the tensor; null where all of it does.</summary>
    /// <param name="tensors">Packed weights, and plain tensors of two dimensions and more.</param>
    /// <param name="runsInFloat32">The model's dtype is float32.</param>
    public static IEnumerable<(ServerLimit Limit, string? Tensor)> Of(IEnumerable<ServedTensor> tensors, bool runsInFloat32)
    {
        if (runsInFloat32) yield return (ServerLimit.Float32, null);
        foreach (ServedTensor tensor in tensors)
        {
            bool isExpert = tensor.Name.Contains(".experts.", StringComparison.Ordinal);
            if (!tensor.IsBytes) yield return (ServerLimit.StorageType, tensor.Name);
            if (tensor.Type == "int8" && tensor.Name.Any(char.IsAsciiLetterUpper)) yield return (ServerLimit.Capitals, tensor.Name);
            if (isExpert && tensor.Type is not (null or "nf4")) yield return (ServerLimit.PackedExpertType, tensor.Name);
            if (isExpert && tensor.Type is null) yield return (ServerLimit.PlainExperts, tensor.Name);
        }
    }
}
