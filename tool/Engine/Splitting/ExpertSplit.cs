using Bnb.Engine.Architectures;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Splitting;

/// <summary>
/// The tensors of a checkpoint with each stack of experts replaced by the experts' own matrices, under the names that loaders have
/// for them; nothing is read yet. Where transformers 5 renames the block in memory and the file has that name, the block's other
/// tensors get back the saved one.
/// </summary>
/// <param name="Tensors">All tensors, the matrices in the places of their stacks.</param>
/// <param name="Stacks">What was divided.</param>
internal sealed record ExpertSplit(IReadOnlyList<TensorPlan> Tensors, IReadOnlyList<(TensorPlan Tensor, ExpertStack Stack)> Stacks)
{
    private const string ErrorCode = "EXPERTS";

    // More are no model's; each matrix is planned by itself.
    private const int MostMatrices = 1 << 20;

    private static readonly string[] DownLeaves = ["down_proj"];

    /// <summary>Divides all stacks.</summary>
    /// <param name="tensors">The dense tensors of the source.</param>
    /// <param name="facts">The model's config.</param>
    /// <exception cref="UserErrorException">EXPERTS: a stack of which it is not known how it is divided.</exception>
    public static ExpertSplit Of(IReadOnlyList<TensorPlan> tensors, ModelFacts facts)
    {
        KnownModel known = ModelFinder.Find(Atlas.Embedded, facts.Identity, tensors.Where(static tensor => tensor.Shape.Rank >= 2).Select(static tensor => tensor.Name));
        var names = new ExpertStacks(known);
        List<TensorPlan> fused = [.. tensors.Where(tensor => IsStack(tensor, facts))];
        if (fused.Count == 0) return new ExpertSplit(tensors, []);
        var stacks = new Dictionary<string, ExpertStack>(StringComparer.Ordinal);
        foreach (TensorPlan tensor in fused)
            if (names.Find(tensor.Name) is { } stack) stacks[tensor.Name] = stack;

        foreach (TensorPlan tensor in fused.Where(tensor => !stacks.ContainsKey(tensor.Name)))
            stacks[tensor.Name] = Predicting(tensor.Name, stacks.Values) ?? throw Unknown(tensor, known, names);

        var byName = fused.ToDictionary(static tensor => tensor.Name, StringComparer.Ordinal);
        var taken = tensors.Select(static tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        List<TensorPlan> split = [];
        foreach (TensorPlan tensor in tensors)
        {
            if (!stacks.TryGetValue(tensor.Name, out ExpertStack? stack))
            {
                split.Add(SavedName(tensor, known, names, stacks.Values) is { } saved && taken.Add(saved) ? Renamed(tensor, saved) : tensor);
                continue;
            }

            bool isTransposed = LayoutOf(tensor, stack, byName);
            if (split.Count + (tensor.Shape[0] * stack.Parts.Count) > MostMatrices)
                throw Undivided(tensor, stack.Model.Name, $"{tensor.Shape[0]:N0} experts are more than a model has", "correct the tensor's shape");
            foreach (ExpertPart part in StackLayout.Parts(stack, tensor.Shape, isTransposed))
            {
                if (!taken.Add(part.Name))
                    throw Undivided(tensor, stack.Model.Name, $"there is a {DisplayText.Escape(part.Name)} beside it", "download this checkpoint again: it has its experts twice");
                split.Add(Matrix(tensor, part));
            }
        }

        return new ExpertSplit(split, [.. fused.Select(tensor => (tensor, stacks[tensor.Name]))]);
    }

    /// <summary>The same where another checkpoint has the matrices and not the stacks, and the layout is known; else null.</summary>
    /// <param name="has">Whether the other checkpoint has a tensor of a name.</param>
    public static ExpertSplit? IfAny(IReadOnlyList<TensorPlan> tensors, ModelFacts facts, Func<string, bool> has)
    {
        if (tensors.FirstOrDefault(tensor => IsStack(tensor, facts)) is not { } any || has(any.Name)) return null;
        return IfKnown(tensors, facts) is { } split && split.Stacks.Any(item => has(item.Stack.NameOf(0, 0))) ? split : null;
    }

    /// <summary>The same; null where a layout is not known, or there is nothing to divide.</summary>
    public static ExpertSplit? IfKnown(IReadOnlyList<TensorPlan> tensors, ModelFacts facts)
    {
        try
        {
            return Of(tensors, facts) is { Stacks.Count: > 0 } split ? split : null;
        }
        catch (UserErrorException undivided) when (undivided.Code == ErrorCode)
        {
            return null;
        }
    }

    // In a model of experts the policy takes every tensor of three dimensions for one of theirs; here the name has to say so.
    private static bool IsStack(TensorPlan tensor, ModelFacts facts) =>
        (tensor.Name.Contains("experts.", StringComparison.Ordinal) || tensor.Name.EndsWith("put_linear.weight", StringComparison.Ordinal))
        && LinearRules.IsFusedExperts(new PolicyTensor(tensor.Name, tensor.Shape.Dimensions, true, 0), facts) && !LinearRules.IsBias(tensor.Name);

    /// <summary>Layers that predict further tokens are built like the model's own and stand in no class.</summary>
    private static ExpertStack? Predicting(string name, IEnumerable<ExpertStack> others)
    {
        const string Experts = ".experts.";
        int at = name.LastIndexOf(Experts, StringComparison.Ordinal);
        if (at < 0 || !name.Split('.').Contains("mtp")) return null;
        string leaf = name[(at + Experts.Length)..], block = name[..(at + 1)];
        return others.FirstOrDefault(stack => stack.Leaf == leaf && stack.Block == stack.StoredBlock) is { } like
            ? like with { Block = block, StoredBlock = block }
            : null;
    }

    private static bool LayoutOf(TensorPlan tensor, ExpertStack stack, Dictionary<string, TensorPlan> fused)
    {
        string experts = tensor.Name[..^stack.Leaf.Length];
        bool isDown = DownLeaves.Contains(stack.Leaf);
        string[] others = isDown ? ["gate_up_proj", "up_proj"] : DownLeaves;
        if (others.Select(leaf => fused.GetValueOrDefault(experts + leaf)).FirstOrDefault(static other => other is not null) is not { } partner)
            throw Undivided(tensor, stack.Model.Name, $"there is no {string.Join(" or ", others)} beside it", "download this checkpoint again, or leave out --experts split");

        (TensorPlan first, TensorPlan down) = isDown ? (partner, tensor) : (tensor, partner);
        int parts = first.Name.EndsWith("gate_up_proj", StringComparison.Ordinal) ? 2 : 1;
        if (StackLayout.IsTransposed(first.Shape, parts, down.Shape) is not { } isTransposed)
        {
            throw Undivided(
                tensor, stack.Model.Name, $"{first.Shape} beside {down.Shape}, neither [experts, out, in] nor [experts, in, out]",
                "leave out --experts split");
        }

        if (tensor.DType is not (DType.F16 or DType.BF16 or DType.F32 or DType.F64))
            throw Undivided(tensor, stack.Model.Name, $"{tensor.DType.Name()} {tensor.Shape}, no floating-point numbers", "leave out --experts split");
        bool isTurned = isTransposed || tensor.Input is DecodedInput { Weight.IsTransposed: true };
        if (tensor.Input is not null && isTurned)
            throw Undivided(tensor, stack.Model.Name, "a quantized stack of [experts, in, out]", "start from the original weights");
        return isTransposed;
    }

    // Each has a reader of its own: what one holds, another gives back when it is done.
    private static TensorPlan Own(TensorPlan tensor) => tensor.Input is { } input ? tensor with { Input = input with { } } : tensor;

    private static TensorPlan Matrix(TensorPlan tensor, ExpertPart part) => tensor with
    {
        Input = new SlicedInput(Own(tensor), part.Name, TensorShape.Of(part.Rows, part.Columns), part.First) { ColumnStride = part.ColumnStride },
    };

    private static TensorPlan Renamed(TensorPlan tensor, string name) =>
        tensor with { Input = new SlicedInput(Own(tensor), name, tensor.Shape, 0) };

    private static string? SavedName(TensorPlan tensor, KnownModel known, ExpertStacks names, IEnumerable<ExpertStack> stacks)
    {
        string name = tensor.Name;
        if (known.Find(name) is not null) return null;
        if (names.IsMerged(name))
            throw Undivided(tensor, ClassOf(known), "transformers 5 made it of several tensors, which other loaders read", "start from a checkpoint with the published names");
        if (names.SavedName(name) is { } saved) return saved;
        return stacks.FirstOrDefault(stack => stack.Block != stack.StoredBlock && name.StartsWith(stack.StoredBlock, StringComparison.Ordinal)) is { } stack
            ? stack.Block + name[stack.StoredBlock.Length..]
            : null;
    }

    private static UserErrorException Unknown(TensorPlan tensor, KnownModel known, ExpertStacks names) => names.IsInterleaved
        ? Undivided(tensor, ClassOf(known), "gate and up take turns in it, and no loader reads its experts one by one", "leave out --experts split: the experts stay as they are")
        : Undivided(tensor, ClassOf(known), "no loader is known that reads its experts one by one", "leave out --experts split: the experts stay as they are");

    private static string ClassOf(KnownModel known) => known.Whole?.Name ?? (known.Parts is [var first, ..] ? first.Class.Name : "not known");

    private static UserErrorException Undivided(TensorPlan tensor, string model, string reason, string action) =>
        new(ExitCode.InputUnsupported, ErrorCode, $"{DisplayText.Escape(tensor.Name)} cannot be split: {reason}")
        {
            File = tensor.Source.File.Path,
            Tensor = tensor.Name,
            Facts = [("class", model), ("shape", tensor.Shape.ToString())],
            Action = action,
        };
}
