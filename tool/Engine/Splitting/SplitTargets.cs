using Bnb.Engine.Architectures;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Splitting;

/// <summary>Splits stacks of experts for the loaders that are to read the output, and refuses those that would not.</summary>
internal static class SplitTargets
{
    /// <summary>The tensors with all stacks divided.</summary>
    /// <param name="targets">Loaders that are to read the output.</param>
    /// <param name="tensors">The dense tensors of the source.</param>
    /// <param name="facts">The model's config.</param>
    /// <exception cref="UserErrorException">No loader is named, or one that does not read the experts of this class one by one;
    /// or a stack of which it is not known how it is divided.</exception>
    public static IReadOnlyList<TensorPlan> Split(IReadOnlyList<LoadTarget> targets, IReadOnlyList<TensorPlan> tensors, ModelFacts facts)
    {
        if (targets.Count == 0)
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", "--experts split needs --loads-in: not every loader reads experts one by one")
            {
                Action = "name who is to load the output, for example --loads-in vllm",
            };
        }

        ExpertSplit split = ExpertSplit.Of(tensors, facts);
        foreach (LoadTarget target in targets)
        {
            foreach ((TensorPlan tensor, ExpertStack stack) in split.Stacks)
            {
                if (Obstacle(target, stack, targets) is not var (reason, action)) continue;
                throw new UserErrorException(ExitCode.InputUnsupported, "LOADS-IN", $"{target.Word()} cannot load this output: {reason}")
                {
                    File = tensor.Source.File.Path,
                    Tensor = tensor.Name,
                    Facts = [("class", stack.Model.Name), ("would be", DisplayText.Escape(stack.NameOf(0, 0)))],
                    Action = action,
                };
            }
        }

        return split.Tensors;
    }

    /// <summary>The stack that a tensor was cut out of; null for every other tensor.</summary>
    public static TensorPlan? StackOf(TensorPlan tensor) => tensor.Input switch
    {
        SlicedInput { Stack: var stack, Shape.Rank: 2 } when stack.Shape.Rank == 3 => stack,
        MergedInput merged => StackOf(merged.Base),
        _ => null,
    };

    private static (string Reason, string Action)? Obstacle(LoadTarget target, ExpertStack stack, IReadOnlyList<LoadTarget> targets)
    {
        const string LeaveOut = "leave out --experts split, or the word in --loads-in";
        return target switch
        {
            LoadTarget.Transformers4 when !stack.IsReadBy(Loader.Transformers4) => ("transformers 4 does not read the experts of this class one by one", LeaveOut),
            LoadTarget.Transformers5 when !stack.IsReadBy(Loader.Transformers5) => ("transformers 5 does not read the experts of this class one by one", LeaveOut),
            LoadTarget.Sglang when stack.Facts is null => ("it is not known to read the experts of this class one by one", LeaveOut),
            LoadTarget.Diffusers => ("diffusers has no experts", LeaveOut),
            LoadTarget.Peft when !targets.Any(static other => other is LoadTarget.Transformers4 or LoadTarget.Transformers5) =>
                ("PEFT trains what transformers loads, and whether experts are read one by one depends on its version", "add transformers4 or transformers5 to --loads-in"),
            _ => null,
        };
    }
}
