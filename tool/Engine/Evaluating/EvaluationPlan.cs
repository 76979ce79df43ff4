using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Tokens;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Evaluating;

/// <summary>Two models and the tokens they will see, checked against each other; no weight has been read.</summary>
internal sealed record EvaluationPlan(EvaluationRequest Request, EvaluatedModel Reference, EvaluatedModel Quantized, TokenRows Tokens)
{
    /// <exception cref="CheckpointFormatException">A file breaks a rule of its format.</exception>
    /// <exception cref="UserErrorException">The models are unknown or do not fit each other, or the tokens do not fit them.</exception>
    public static EvaluationPlan Make(EvaluationRequest request)
    {
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

    private static TokenRows ReadTokens(EvaluationRequest request, Checkpoint source)
    {
        if (request.IdsPath is { } ids) return IdsFile.Read(ids).Take(request.Tokens);
        throw new UserErrorException(ExitCode.Usage, "USAGE", "no tokens") { File = source.Folder };
    }

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
            : null;
        if (wrong is null) return;
        throw new UserErrorException(ExitCode.InputMalformed, "TOKENS", $"the tokens do not fit the model: {wrong}")
        {
            File = request.IdsPath ?? request.TextPath,
            Action = "use tokens that the model's own tokenizer made, at least 2",
        };
    }
}
