using System.Runtime.InteropServices;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Forward;
using Bnb.Formats.Gguf;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;

namespace Bnb.Engine.Evaluating;

/// <summary>
/// Mean squared activations per input channel as a file: safetensors with one F32 vector for each weight, under the weight's
/// full name, or llama.cpp's importance matrix.
/// </summary>
internal static class ImportanceFile
{
    /// <summary>Whether the ending is one that is written.</summary>
    /// <exception cref="UserErrorException">USAGE: it is not.</exception>
    public static void CheckEnding(string path)
    {
        if (IsSafetensors(path) || IsGguf(path)) return;
        throw new UserErrorException(ExitCode.Usage, "USAGE", "an importance file's ending says its form, and this one is unknown")
        {
            File = path,
            Action = "name a file that ends with .safetensors, or .gguf for llama.cpp's imatrix",
        };
    }

    /// <summary>The whole file.</summary>
    public static byte[] Of(string path, EvaluationResult result, string dataset) => IsGguf(path)
        ? ImatrixWriter.Write(Entries(result.Importance), [dataset], result.Contexts, result.Tokens / result.Contexts)
        : Safetensors(result.Importance);

    private static bool IsSafetensors(string path) => path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase);

    private static bool IsGguf(string path) => path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase);

    private static byte[] Safetensors(IReadOnlyList<ChannelImportance> channels)
    {
        var tensors = new List<TensorInfo>();
        using var data = new MemoryStream();
        foreach (ChannelImportance weight in channels.OrderBy(weight => weight.Name, StringComparer.Ordinal))
        {
            float[] means = [.. weight.Sums.Select(sum => (float)(sum / weight.Tokens))];
            long begin = data.Position;
            data.Write(MemoryMarshal.AsBytes(means.AsSpan()));
            tensors.Add(new TensorInfo(weight.Name, DType.F32, TensorShape.Of(means.Length), begin, data.Position));
        }

        byte[] header = SafetensorsHeaderWriter.Write(tensors, new Dictionary<string, string> { ["content"] = "mean squared activations" });
        return [.. header, .. data.ToArray()];
    }

    /// <summary>Experts of one weight are the matrices of one entry; those without a token have a count of 0, as in llama.cpp.</summary>
    private static List<ImatrixEntry> Entries(IReadOnlyList<ChannelImportance> channels)
    {
        var named = channels.Select(weight => (Weight: weight, Ggml: LlamaNames.Map(weight.Name))).Where(item => item.Ggml is not null);
        var entries = new List<ImatrixEntry>();
        foreach (var group in named.GroupBy(item => item.Ggml!.Value.Name, StringComparer.Ordinal))
        {
            int channelCount = group.First().Weight.Sums.Length;
            float[] counts = new float[group.Max(item => (int)(item.Ggml!.Value.Expert ?? 0)) + 1], sums = new float[counts.Length * channelCount];
            foreach ((ChannelImportance weight, LlamaName? ggml) in group)
            {
                int matrix = (int)(ggml!.Value.Expert ?? 0);
                counts[matrix] = weight.Tokens;
                for (int i = 0; i < channelCount; i++) sums[(matrix * channelCount) + i] = (float)weight.Sums[i];
            }

            entries.Add(new ImatrixEntry(group.Key, channelCount, sums, counts));
        }

        return entries;
    }
}
