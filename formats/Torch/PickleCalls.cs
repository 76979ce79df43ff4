using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// What the calls and persistent ids of a pickle stand for: a call of a listed name becomes a record of its arguments. The
/// functions are those of <c>torch/_utils.py</c> and <c>torch/_tensor.py</c>.
/// </summary>
internal static class PickleCalls
{
    /// <summary>The record for a callable and its tuple of arguments.</summary>
    /// <exception cref="CheckpointFormatException">PT-PICKLE: not something that is called so.</exception>
    public static PickleValue Reduce(PickleValue[] call, PickleStack stack, PickleErrors errors)
    {
        if (call[0].Object is not GlobalName global || call[1].Object is not PickleTuple arguments)
            throw errors.Unsafe(stack.Position, $"calls {call[0].KindText} with {call[1].KindText}");
        PickleValue result = Call(global, arguments.Items)
            ?? throw errors.Unsafe(stack.Position, $"calls {global.Name} in a way that PyTorch does not");
        // A call of a few bytes may name a long list that is in the memo, again and again.
        stack.Count(result.Object switch
        {
            PickleDict dict => 2 * dict.Items.Count,
            PickleTensor tensor => tensor.Sizes.Length + tensor.Strides.Length,
            _ => 0,
        });
        return result;
    }

    /// <summary>The storage that a persistent id names.</summary>
    /// <exception cref="CheckpointFormatException">PT-PICKLE: it names something else.</exception>
    public static PickleStorage Storage(PickleValue id, PickleStack stack, PickleErrors errors)
    {
        PickleStorage? storage = (id.Object as PickleTuple)?.Items switch
        {
            [{ Object: "storage" }, { Object: GlobalName { Role: PickleRole.Storage } type }, { Object: string key }, var location, var count, .. PickleValue[] view]
                when location.Kind == PickleKind.Text && count.Kind == PickleKind.Integer => View(new PickleStorage(key, type, count.Number), view),
            _ => null,
        };
        return storage ?? throw errors.Unsafe(stack.Position, "has a persistent id that is no storage");
    }

    /// <summary>The sixth part of an id, in the stream form alone: None, or (key, first element, elements).</summary>
    private static PickleStorage? View(PickleStorage storage, PickleValue[] view) => view switch
    {
        [] or [{ Kind: PickleKind.None }] => storage,
        [{ Object: PickleTuple { Items: [_, { Kind: PickleKind.Integer } offset, { Kind: PickleKind.Integer } count] } }] =>
            storage with { ViewOffset = offset.Number, ViewCount = count.Number },
        _ => null,
    };

    private static PickleValue? Call(GlobalName global, PickleValue[] arguments) => (global.Role, arguments) switch
    {
        (PickleRole.OrderedDict, _) => Ordered(arguments),
        (PickleRole.Size, [{ Kind: PickleKind.Tuple } sizes]) => sizes,
        (PickleRole.RebuildTensor, [var storage, var offset, var sizes, var strides]) =>
            Tensor(storage, offset, sizes, strides, dtype: null, []),
        (PickleRole.RebuildTensorV2, [var storage, var offset, var sizes, var strides, _, _, .. PickleValue[] rest]) =>
            Tensor(storage, offset, sizes, strides, dtype: null, rest),
        (PickleRole.RebuildTensorV3, [var storage, var offset, var sizes, var strides, _, _, var dtype, .. PickleValue[] rest])
            when dtype.Object is GlobalName { Role: PickleRole.DType } type => Tensor(storage, offset, sizes, strides, type, rest),
        // Data, whether it takes a gradient, hooks, and attributes in newer versions.
        (PickleRole.RebuildParameter, { Length: 3 or 4 }) => arguments[0].Kind == PickleKind.Tensor ? arguments[0] : null,
        // A function of this list, the class, the function's arguments, and attributes.
        (PickleRole.RebuildFromType, [{ Object: GlobalName inner }, { Object: GlobalName type }, { Object: PickleTuple tuple }, _])
            when inner.Role is PickleRole.RebuildTensorV2 or PickleRole.RebuildTensorV3 && type.Role == PickleRole.Inert => Call(inner, tuple.Items),
        (PickleRole.RebuildQuantized, _) => Unsupported("quantized by PyTorch itself"),
        _ => null,
    };

    /// <summary>An OrderedDict: empty as Python 3 makes it, or from a list of pairs as Python 2 did.</summary>
    private static PickleValue? Ordered(PickleValue[] arguments)
    {
        var dict = new PickleDict(isOrdered: true);
        switch (arguments)
        {
            case []:
                break;
            case [{ Object: List<PickleValue> pairs }]:
                foreach (PickleValue pair in pairs)
                {
                    if (Items(pair) is not [var key, var value]) return null;
                    dict.Items.Add((key, value));
                }

                break;
            default:
                return null;
        }

        return new PickleValue(PickleKind.Dict, 0, dict);
    }

    private static IReadOnlyList<PickleValue> Items(PickleValue value) => value.Object switch
    {
        List<PickleValue> list => list,
        PickleTuple tuple => tuple.Items,
        _ => [],
    };

    private static PickleValue? Tensor(
        PickleValue storage, PickleValue offset, PickleValue sizes, PickleValue strides, GlobalName? dtype, PickleValue[] metadata)
    {
        if (storage.Object is not PickleStorage stored || offset.Kind != PickleKind.Integer) return null;
        if (Numbers(sizes) is not { } dimensions || Numbers(strides) is not { } steps) return null;
        string? unsupported = metadata switch
        {
            [] or [{ Kind: PickleKind.None }] or [{ Object: PickleDict { Items.Count: 0 } }] => null,
            // Whoever reads the elements without looking at these has the wrong sign.
            [{ Object: PickleDict }] => "a view that is to be conjugated or negated",
            _ => "described in a way that is not known",
        };
        GlobalName type = dtype ?? stored.Type;
        if (type.DType is null) unsupported ??= $"of type {type.Name}";
        return new(PickleKind.Tensor, 0, new PickleTensor(stored, type.DType, offset.Number, dimensions, steps, unsupported));
    }

    private static PickleValue Unsupported(string reason) =>
        new(PickleKind.Tensor, 0, new PickleTensor(null, null, 0, [], [], reason));

    private static long[]? Numbers(PickleValue value)
    {
        if (value.Object is not PickleTuple { Items: { Length: <= FormatLimits.Rank } items }) return null;
        if (items.Any(item => item.Kind != PickleKind.Integer)) return null;
        return [.. items.Select(item => item.Number)];
    }
}
