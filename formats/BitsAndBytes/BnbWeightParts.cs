using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.BitsAndBytes;

/// <summary>Finds and checks the companions of one weight. Every length is compared before anything trusts it.</summary>
internal sealed class BnbWeightParts(string name, BnbQuantState state, CheckpointTensor blob, WeightSearch search)
{
    private const int SmallestBlocksize = 32;
    private const int LargestBlocksize = 4096;

    private bool _broken;

    /// <summary>Names of all tensors that belong to a weight but its quant_state, found or not.</summary>
    public static IEnumerable<string> NamesOf(string name) =>
    [
        name,
        BnbKeys.Absmax(name),
        BnbKeys.QuantMap(name),
        BnbKeys.NestedAbsmax(name),
        BnbKeys.NestedQuantMap(name),
    ];

    /// <summary>The weight, or null when a fatal problem was added.</summary>
    public BnbWeight? Assemble()
    {
        if (!CheckState(out long values)) return null;
        long blocks = (values + state.Blocksize - 1) / state.Blocksize;
        long nested = (blocks + BnbQuantState.NestedBlocksize - 1) / BnbQuantState.NestedBlocksize;
        bool isNested = state.NestedOffset is not null;

        CheckpointTensor packed = search.ByName[name];
        if (packed.ByteCount != (values + 1) / 2)
            Fatal("BNB0106", name, $"holds {packed.ByteCount} bytes, {values} codes need {(values + 1) / 2}");
        CheckpointTensor? absmax = Companion(BnbKeys.Absmax(name), isNested ? DType.U8 : DType.F32, blocks);
        CheckpointTensor? map = Companion(BnbKeys.QuantMap(name), DType.F32, 16);
        CheckpointTensor? nestedAbsmax = isNested ? Companion(BnbKeys.NestedAbsmax(name), DType.F32, nested) : Unwanted(BnbKeys.NestedAbsmax(name));
        CheckpointTensor? nestedMap = isNested ? Companion(BnbKeys.NestedQuantMap(name), DType.F32, 256) : Unwanted(BnbKeys.NestedQuantMap(name));
        if (_broken) return null;

        var weight = new BnbWeight(name, state, blob, packed, absmax!, map!, nestedAbsmax, nestedMap);
        if (weight.Parts.Any(part => !ReferenceEquals(part.File, packed.File)))
            search.Remark("BNB0108", name, "companions lie in another file than the weight; some loaders do not find them");
        return weight;
    }

    private bool CheckState(out long values)
    {
        values = 0;
        if (state.Shape.Count != 2)
        {
            Fatal("BNB0105", name, $"quant_state has {state.Shape.Count} dimensions, a linear weight has 2");
            return false;
        }

        if (state.Blocksize is < SmallestBlocksize or > LargestBlocksize || !int.IsPow2(state.Blocksize))
        {
            Fatal("BNB0107", name, $"block size {state.Blocksize} is none of 32 to 4096");
            return false;
        }

        Int128 product = (Int128)state.Shape[0] * state.Shape[1];
        if (product > long.MaxValue / 8)
        {
            Fatal("BNB0105", name, $"quant_state says [{state.Shape[0]}, {state.Shape[1]}], more than any file holds");
            return false;
        }

        values = (long)product;
        return true;
    }

    private CheckpointTensor? Companion(string key, DType dtype, long length)
    {
        if (!search.ByName.TryGetValue(key, out CheckpointTensor? tensor))
        {
            Fatal("BNB0101", key, "is missing");
            return null;
        }

        if (tensor.DType != dtype || tensor.Shape.ElementCount != length)
            Fatal("BNB0105", key, $"is {tensor.DType.Name()} {tensor.Shape}, expected {dtype.Name()} [{length}]");
        return tensor;
    }

    private CheckpointTensor? Unwanted(string key)
    {
        if (search.ByName.ContainsKey(key))
            search.Remark("BNB0102", key, "the quant_state does not say that absmax is quantized");
        return null;
    }

    private void Fatal(string rule, string tensor, string text)
    {
        _broken = true;
        search.Fatal(rule, tensor, text);
    }
}
