using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Inspecting;

/// <summary>Says for each tensor of a checkpoint, quantized or not, what <c>quantize</c> would do with it and why.</summary>
internal static class ExplainRun
{
    private const int Blocksize = 64;

    /// <param name="path">Folder or file.</param>
    /// <param name="glob">Tensors to tell about; null for all.</param>
    /// <param name="target">The form of the output that the decisions are for.</param>
    /// <exception cref="PolicyException">No list of exceptions fits the names.</exception>
    /// <exception cref="UserErrorException">The pattern matches nothing.</exception>
    public static Explanation Execute(string path, string? glob, PolicyTarget target)
    {
        UnfinishedOutput.Refuse(path);
        Checkpoint checkpoint = Checkpoint.Open(path, requireConfig: false, followSymlinks: true);
        QuantizedCheckpoint weights = DataTypeCatalog.Read(checkpoint);
        List<PolicyTensor> tensors =
        [
            .. weights.Plain.Concat(weights.Unread).Select(static tensor => new PolicyTensor(
                tensor.Name, tensor.Shape.Dimensions, tensor.DType is DType.F16 or DType.BF16 or DType.F32 or DType.F64, tensor.ByteCount)),
            .. weights.Weights.Select(static weight => new PolicyTensor(weight.Name, [weight.Rows, weight.Columns], true, 0)),
        ];
        ModelFacts facts = ModelFactsReader.Read(checkpoint.Config);
        PolicyResult result = QuantizationPolicy.Decide(tensors, facts, new PolicyOptions(Blocksize, false, false, [], target));
        var pattern = glob is null ? null : new Glob(glob);
        List<TensorDecision> chosen = [.. result.Decisions.Where(decision => pattern?.IsMatch(decision.Tensor.Name) != false)];
        if (chosen.Count == 0)
        {
            throw new UserErrorException(ExitCode.Usage, PolicyException.PatternUnmatched, "the pattern matches no tensor of the checkpoint")
            {
                File = checkpoint.Folder,
                Action = "correct the pattern; it must fit the whole tensor name, * stands for any run of characters",
            };
        }

        return new Explanation(chosen, result.SkipModules, KnownTo(result.Known));
    }

    /// <summary>The libraries that have the model, as people call them; empty when none is known to.</summary>
    public static IReadOnlyList<string> KnownTo(KnownModel model)
    {
        List<string> names = [];
        foreach (Loader loader in model.Parts.SelectMany(static part => part.Class.Loaders).Distinct().Order())
        {
            names.Add(loader switch
            {
                Loader.Transformers4 => "transformers 4",
                Loader.Transformers5 => "transformers 5",
                _ => "diffusers",
            });
        }

        if (model.Vllm is not null) names.Add("vLLM");
        return names;
    }
}
