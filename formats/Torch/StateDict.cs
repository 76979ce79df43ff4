using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>The names and tensors of a model, found in what a pickle holds.</summary>
/// <param name="Tensors">In the order of the file.</param>
/// <param name="Notes">What was unwrapped, renamed or left out.</param>
internal sealed record StateDict(IReadOnlyList<(string Name, PickleTensor Tensor)> Tensors, IReadOnlyList<string> Notes)
{
    // Under which keys training scripts put the state dict beside their other things.
    private static readonly string[] Wrappers = ["state_dict", "model_state_dict", "model", "module"];

    // What torch.nn.DataParallel puts in front of every name.
    private const string ParallelPrefix = "module.";

    /// <summary>Finds the state dict: the object itself, or what a training script has put under one of its usual keys.</summary>
    /// <exception cref="CheckpointFormatException">PT-UNSUP or PT-PICKLE: it is not one.</exception>
    public static StateDict Find(PickleValue top, TorchErrors errors)
    {
        PickleDict dict = top.Object as PickleDict ?? throw NotADict(top, errors);
        List<string> notes = [];
        (string Key, PickleDict Dict)[] wrapped = [.. Wrapped(dict)];
        if (wrapped.Length > 1)
            throw errors.Unsupported("holds more than one state dict", ("under", string.Join(", ", wrapped.Select(item => item.Key))));
        if (wrapped is [(string key, PickleDict inner)])
        {
            notes.Add($"the weights are those under {key}; what is beside them is left out");
            dict = inner;
        }

        var tensors = Collect(dict, notes, errors);
        return new StateDict(WithoutPrefix(tensors, notes), notes);
    }

    private static IEnumerable<(string Key, PickleDict Dict)> Wrapped(PickleDict dict)
    {
        foreach ((PickleValue key, PickleValue value) in dict.Items)
        {
            if (key.Object is string name && Wrappers.Contains(name) && value.Object is PickleDict inner
                && inner.Items.Any(item => item.Value.Kind == PickleKind.Tensor)) yield return (name, inner);
        }
    }

    private static List<(string Name, PickleTensor Tensor)> Collect(PickleDict dict, List<string> notes, TorchErrors errors)
    {
        List<(string Name, PickleTensor Tensor)> tensors = new(dict.Items.Count);
        HashSet<string> names = new(dict.Items.Count, StringComparer.Ordinal);
        List<string> leftOut = [];
        foreach ((PickleValue key, PickleValue value) in dict.Items)
        {
            if (key.Object is not string name)
            {
                throw errors.Damaged(
                    FormatError.PickleMalformed, "a tensor's name is not a string", ("name", key.Kind == PickleKind.Integer ? TorchErrors.Number(key.Number) : key.KindText));
            }

            if (!names.Add(name)) throw errors.Damaged(FormatError.PickleMalformed, name, "is there twice");
            if (value.Object is PickleTensor tensor) tensors.Add((name, tensor));
            else if (value.Object is null or string) leftOut.Add(name);
            else throw NotATensor(name, value, errors);
        }

        if (tensors.Count == 0 && leftOut.Count > 0)
            throw errors.Damaged(FormatError.PickleMalformed, "holds no tensors", ("holds", ItemList.Names(leftOut)));
        if (leftOut.Count > 0) notes.Add($"entries that are no tensors are left out: {ItemList.Names(leftOut)}");
        return tensors;
    }

    private static List<(string Name, PickleTensor Tensor)> WithoutPrefix(
        List<(string Name, PickleTensor Tensor)> tensors, List<string> notes)
    {
        bool all = tensors.Count > 0 && tensors.All(
            item => item.Name.Length > ParallelPrefix.Length && item.Name.StartsWith(ParallelPrefix, StringComparison.Ordinal));
        if (!all) return tensors;
        notes.Add($"every name starts with {ParallelPrefix}, as DataParallel writes them; that is left out");
        return [.. tensors.Select(item => (item.Name[ParallelPrefix.Length..], item.Tensor))];
    }

    private static CheckpointFormatException NotADict(PickleValue top, TorchErrors errors)
    {
        bool isTensors = top.Kind == PickleKind.Tensor
            || (top.Object is List<PickleValue> list && list.Any(item => item.Kind == PickleKind.Tensor));
        return isTensors
            ? errors.Unsupported($"holds {top.KindText} without names, not a dict of tensors")
            : errors.Damaged(FormatError.PickleMalformed, $"holds {top.KindText}, not a dict of tensors");
    }

    private static CheckpointFormatException NotATensor(string name, PickleValue value, TorchErrors errors) => errors.Damaged(
        FormatError.PickleMalformed,
        "an entry is no tensor",
        ("entry", DisplayText.Escape(name)),
        ("found", value.KindText),
        ("expected", $"a dict of tensors, or one under {string.Join(", ", Wrappers)}"));
}
