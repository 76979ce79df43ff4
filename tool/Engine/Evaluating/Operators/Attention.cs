using Bnb.Quant.Backends;
using Bnb.Quant.Gemm;

namespace Bnb.Engine.Evaluating.Operators;

/// <summary>
/// Causal attention of whole contexts, in float32: softmax(scale q k^T) v for each head, with grouped key heads, a sliding
/// window, a soft cap and sinks where the shape has them. Scores are made for a block of queries at a time, so memory grows
/// with the context, not with its square.
/// </summary>
internal static class Attention
{
    private const int QueryBlock = 256;

    /// <param name="contexts">Runs of rows that see only themselves.</param>
    /// <param name="query">[tokens, heads * key width], rotated.</param>
    /// <param name="key">[tokens, key heads * key width], rotated.</param>
    /// <param name="value">[tokens, key heads * value width].</param>
    /// <param name="sinks">One logit per head, or null.</param>
    /// <param name="output">[tokens, heads * value width], overwritten.</param>
    public static void Run(
        AttentionShape shape, IReadOnlyList<Range> contexts, TokenMatrix query, TokenMatrix key, TokenMatrix value, float[]? sinks,
        TokenMatrix output, int threads, KernelPath path) =>
        RowBlocks.Run(threads, contexts.Count * shape.Heads, item =>
        {
            int head = item % shape.Heads;
            (int start, int length) = contexts[item / shape.Heads].GetOffsetAndLength(query.Rows);
            RunHead(
                shape, head, query.Slice(start, length), key.Slice(start, length), value.Slice(start, length), sinks?[head],
                output.Slice(start, length), path);
        });

    private static void RunHead(
        AttentionShape shape, int head, TokenMatrix query, TokenMatrix key, TokenMatrix value, float? sink, TokenMatrix output, KernelPath path)
    {
        int tokens = query.Rows, keyHead = head / (shape.Heads / shape.KeyHeads), block = Math.Min(QueryBlock, tokens);
        float[] keys = Gather(key, keyHead, shape.KeyWidth);
        float[] queries = new float[block * shape.KeyWidth], results = new float[block * shape.ValueWidth];
        float[] scores = new float[block * tokens], values = new float[tokens * shape.ValueWidth];
        for (int first = 0; first < tokens; first += block)
        {
            int count = Math.Min(block, tokens - first), end = first + count;
            // Keys before the first query's window serve none of the block.
            int from = shape.Window is { } window ? Math.Max(0, first - window + 1) : 0, seen = end - from;
            for (int i = 0; i < count; i++)
            {
                Span<float> target = queries.AsSpan(i * shape.KeyWidth, shape.KeyWidth);
                query.Row(first + i).Slice(head * shape.KeyWidth, shape.KeyWidth).CopyTo(target);
                foreach (ref float x in target) x *= shape.Scale;
            }

            Span<float> part = scores.AsSpan(0, count * seen);
            Sgemm.Run(
                count, seen, shape.KeyWidth, queries.AsSpan(0, count * shape.KeyWidth),
                keys.AsSpan(from * shape.KeyWidth, seen * shape.KeyWidth), part, threads: 1, path);
            for (int i = 0; i < count; i++) Weigh(part.Slice(i * seen, seen), first + i - from, shape, sink);

            // The product wants rows of weights: channels of the seen values.
            Span<float> transposed = values.AsSpan(0, seen * shape.ValueWidth);
            for (int i = 0; i < seen; i++)
            {
                ReadOnlySpan<float> row = value.Row(from + i).Slice(keyHead * shape.ValueWidth, shape.ValueWidth);
                for (int c = 0; c < row.Length; c++) transposed[(c * seen) + i] = row[c];
            }

            Span<float> result = results.AsSpan(0, count * shape.ValueWidth);
            Sgemm.Run(count, shape.ValueWidth, seen, part, transposed, result, threads: 1, path);
            for (int i = 0; i < count; i++)
                result.Slice(i * shape.ValueWidth, shape.ValueWidth).CopyTo(output.Row(first + i)[(head * shape.ValueWidth)..]);
        }
    }

    /// <summary>Turns scores of one query into weights; what it may not see gets 0.</summary>
    /// <param name="scores">Of a run of keys.</param>
    /// <param name="self">The index of the query's own key in that run.</param>
    private static void Weigh(Span<float> scores, int self, AttentionShape shape, float? sink)
    {
        int from = shape.Window is { } window ? Math.Max(0, self - window + 1) : 0;
        Span<float> visible = scores[from..(self + 1)];
        if (shape.SoftCap is { } cap) Activations.SoftCap(visible, cap);
        Softmax.Run(visible, sink);
        scores[..from].Clear();
        scores[(self + 1)..].Clear();
    }

    private static float[] Gather(TokenMatrix matrix, int head, int width)
    {
        float[] gathered = new float[matrix.Rows * width];
        for (int i = 0; i < matrix.Rows; i++) matrix.Row(i).Slice(head * width, width).CopyTo(gathered.AsSpan(i * width));
        return gathered;
    }
}
