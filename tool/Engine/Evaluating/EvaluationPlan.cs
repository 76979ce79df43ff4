using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Tokens;
using Bnb.Engine.Output;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Evaluating;

/// <summary>Two models and the tokens they will see, checked against each other; no weight has been read.</summary>
internal sealed record EvaluationPlan(EvaluationRequest Request, EvaluatedModel Reference, EvaluatedModel Quantized, TokenRows Tokens)
{
    /// <summary>Logits that are compared at a time, at least, for all tokens together; also more than experts there are.</summary>
    private const int LeastLogits = 1024;

    /// <exception cref="CheckpointFormatException">A file breaks a rule of its format.</exception>
    /// <exception cref="UserErrorException">The models are unknown or do not fit each other, or the tokens do not fit them.</exception>
    public static EvaluationPlan Make(EvaluationRequest request)
    {
        UnfinishedOutput.Refuse(request.SourcePath);
        UnfinishedOutput.Refuse(request.QuantizedPath);
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: true, followSymlinks: true);
        Checkpoint quantized = Checkpoint.Open(request.QuantizedPath, requireConfig: false, followSymlinks: true);
        (ModelConfig Config, string Path) config = (source.Config!, source.ConfigPath!);
        TokenRows tokens = ReadTokens(request, source);
        int longest = tokens.Lengths.DefaultIfEmpty(0).Max();
        EvaluatedModel reference = EvaluatedModel.Open(QuantizedCheckpoint.Read(source), config, longest);
        EvaluatedModel judged = EvaluatedModel.Open(
            QuantizedCheckpoint.Read(quantized), quantized.Config is { } own ? (own, quantized.ConfigPath!) : config, longest);
        CheckPair(request, reference.Form, judged.Form);
        CheckTokens(request, reference.Form, tokens);
        return new EvaluationPlan(request, reference, judged, tokens);
    }

    /// <summary>Files of both sides.</summary>
    public IEnumerable<CheckpointFile> Files => Reference.Checkpoint.Source.Files.Concat(Quantized.Checkpoint.Source.Files);

    /// <summary>What is odd but no error, one sentence each, escaped for display.</summary>
    public IEnumerable<string> Notes
    {
        get
        {
            int longest = Tokens.Lengths.Max();
            if (Reference.Form.MaxPositions is { } positions && longest > positions)
                yield return $"contexts of {longest} tokens are longer than the {positions} positions that the model was made for";
            foreach (string note in Reference.Checkpoint.Source.Notes.Concat(Quantized.Checkpoint.Source.Notes)) yield return DisplayText.Escape(note);
        }
    }

    private static TokenRows ReadTokens(EvaluationRequest request, Checkpoint source) => request.IdsPath is { } ids
        ? IdsFile.Read(ids).Take(request.Tokens ?? int.MaxValue)
        : TextSource.Read(request.TextPath, TextTokenizer.Open(source.Folder), request.Tokens ?? EvaluationRequest.DefaultTokens, request.Context);

    private static void CheckPair(EvaluationRequest request, DecoderForm reference, DecoderForm quantized)
    {
        (string What, int A, int B)[] facts =
        [
            ("vocabulary", reference.Vocabulary, quantized.Vocabulary),
            ("hidden width", reference.Hidden, quantized.Hidden),
            ("layers", reference.Layers.Count, quantized.Layers.Count),
        ];
        foreach ((string what, int a, int b) in facts)
        {
            if (a == b) continue;
            throw new UserErrorException(ExitCode.Usage, "MODEL-PAIR", $"the two checkpoints are of different models: {what} {a} and {b}")
            {
                File = request.QuantizedPath,
                Facts = [("source", request.SourcePath)],
                Action = "name the checkpoint that the quantized one was made from",
            };
        }
    }

    private static void CheckTokens(EvaluationRequest request, DecoderForm model, TokenRows tokens)
    {
        string? wrong = tokens.Ids.Length < 2 ? $"{tokens.Ids.Length} tokens predict nothing"
            : tokens.Ids.Max() is int largest && largest >= model.Vocabulary ? $"token {largest} is beyond the vocabulary of {model.Vocabulary}"
            : (long)tokens.Ids.Length * Math.Max(model.Hidden, LeastLogits) > Array.MaxLength || tokens.Lengths.Max() * model.WidestStates > Array.MaxLength
                ? $"{tokens.Ids.Length} tokens in contexts of {tokens.Lengths.Max()} are more than arrays can hold"
            : null;
        if (wrong is null) return;
        throw new UserErrorException(ExitCode.InputMalformed, "TOKENS", $"the tokens do not fit the model: {wrong}")
        {
            File = request.IdsPath ?? request.TextPath ?? request.SourcePath,
            Action = "use tokens that the model's own tokenizer made, at least 2; --tokens and --context limit them",
        };
    }
}
