using System.Buffers.Binary;
using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Evaluating.Tokens;

/// <summary>Tokens from a safetensors file: <c>input_ids</c>, I64 or I32 [rows, tokens], each row a context.</summary>
internal static class IdsFile
{
    private const string TensorName = "input_ids";
    private const long MostTokens = 1 << 22;

    /// <exception cref="CheckpointFormatException">The file is malformed.</exception>
    /// <exception cref="UserErrorException">IDS: there is no such tensor, or a token is negative.</exception>
    public static TokenRows Read(string path)
    {
        CheckpointTensor tensor = Checkpoint.Open(path, requireConfig: false).Tensors.FirstOrDefault(item => item.Name == TensorName)
            ?? throw Wrong(path, $"there is no tensor {TensorName}");
        TensorShape shape = tensor.Shape;
        if (tensor.DType is not (DType.I64 or DType.I32)) throw Wrong(path, $"{TensorName} is {tensor.DType.Name()}");
        if (shape.Rank != 2 || shape[1] < 2 || shape[0] < 1 || shape.ElementCount > MostTokens) throw Wrong(path, $"{TensorName} is {shape}");
        int size = tensor.DType == DType.I64 ? sizeof(long) : sizeof(int);
        byte[] bytes = new byte[tensor.ByteCount];
        using (WeightReader file = WeightReader.Open(tensor.File)) file.Read(tensor, 0, bytes);
        int[] ids = new int[shape.ElementCount];
        for (int i = 0; i < ids.Length; i++)
        {
            ReadOnlySpan<byte> item = bytes.AsSpan(i * size, size);
            long id = size == sizeof(long) ? BinaryPrimitives.ReadInt64LittleEndian(item) : BinaryPrimitives.ReadInt32LittleEndian(item);
            if (id is < 0 or > int.MaxValue) throw Wrong(path, $"token {i} is {id}");
            ids[i] = (int)id;
        }

        return new TokenRows(ids, [.. Enumerable.Repeat((int)shape[1], (int)shape[0])]);
    }

    private static UserErrorException Wrong(string path, string found) => new(ExitCode.InputMalformed, "IDS", "the file holds no rows of tokens")
    {
        File = path,
        Facts = [("found", found), ("expected", $"{TensorName}, I64 [rows, tokens], at least 2 tokens a row, {MostTokens} in all at most")],
        Action = "write the token numbers of each context as one row",
    };
}
