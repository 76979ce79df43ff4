using System.Collections.Immutable;
using Bnb.Engine.Devices;
using Bnb.Engine.Merging;
using Bnb.Engine.Plans;
using Bnb.Engine.Splitting;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.DataTypes;

/// <summary>The families of data types, one row each: whoever has a plan or a weight asks here what belongs to it.</summary>
internal static class DataTypeCatalog
{
    private static ImmutableArray<DataType> _all = [new Blockwise4Type(), new Int8Type(), new Int4Type(), new ScaledFloatType(), new PackedWordType()];

    public static IReadOnlyList<DataType> All => _all;

    /// <summary>Adds a family; before the first job, by whoever brings one of its own.</summary>
    /// <exception cref="ArgumentException">There is a type of that name.</exception>
    public static void Register(DataType family)
    {
        if (family.Names.FirstOrDefault(name => All.Any(known => known.Names.Contains(name))) is { } taken)
            throw new ArgumentException($"there is a data type {taken} already", nameof(family));
        ImmutableInterlocked.Update(ref _all, static (rows, added) => rows.Add(added), family);
    }

    /// <summary>The checkpoint as weights of all families.</summary>
    /// <exception cref="CheckpointFormatException">BNB-STATE: a quant_state blob is malformed.</exception>
    public static QuantizedCheckpoint Read(Checkpoint source) =>
        QuantizedCheckpoint.Read(source, All.Select<DataType, Action<WeightSearch>>(family => family.Recognize));

    /// <summary>The work on one tensor: quantizing, dequantizing or copying it.</summary>
    public static TensorRun RunOf(TensorPlan plan, ShardRun shard, PipelineContext context) => plan switch
    {
        { Quantization: { } quantization } => FamilyOf(quantization).Run(quantization, plan, shard, context),
        { Dequantization: { } packed } => new DequantizeTensorRun(
            plan, packed, () => DecoderOf(packed.Weight, context.Source, context.Engine), shard, context),
        { Input: { } input } => new InputTensorRun(plan, input, shard, context),
        _ => new CopyTensorRun(plan, shard, context),
    };

    /// <summary>What reads an input that no tensor of the source holds as it is.</summary>
    public static Func<WeightInput, TensorSource, ValueReader> InputsOn(ComputeEngine engine) => (input, source) => input switch
    {
        DecodedInput decoded => new DecodedReader(
            DecoderOf(decoded.Weight, source, engine), decoded.Type, decoded.Shapes.ChunkMultiple),
        MergedInput merged => new MergedReader(merged, source),
        SlicedInput sliced => new SlicedReader(sliced, source),
        _ => throw new ArgumentException($"nothing reads a {input.GetType().Name}", nameof(input)),
    };

    /// <summary>The weight's values as an input, in the dtype that <see cref="DenseTypeOf"/> gives.</summary>
    public static DecodedInput InputOf(QuantizedWeight weight, ModelConfig? config, bool isConv1D) =>
        new(weight, DenseTypeOf(weight, config), isConv1D, BuffersOf(weight));

    /// <summary>A decoder of the weight.</summary>
    public static WeightDecoder DecoderOf(QuantizedWeight weight, TensorSource source, ComputeEngine engine) =>
        FamilyOf(weight).Decoder(weight, source, engine);

    /// <summary>What a worker's buffers must hold to decode it.</summary>
    public static BufferShape BuffersOf(QuantizedWeight weight) => FamilyOf(weight).Buffers(weight);

    /// <summary>
    /// The dtype that decoding yields when nobody asks for another: the one the weight was quantized from where the file says
    /// it, else the model's, else what the family takes then.
    /// </summary>
    public static ElementType DenseTypeOf(QuantizedWeight weight, ModelConfig? config) =>
        FamilyOf(weight) is var family && family.DenseType(weight) is { } type ? type
        : FloatTypes.Named(config?.TorchDType) ?? family.UsualType;

    /// <summary>Whether there is a recipe that gives this form.</summary>
    public static bool IsWritten(QuantizedWeight weight) => FamilyOf(weight).IsWritten(weight);

    /// <summary>The recipe that would give this form.</summary>
    public static QuantizeRecipe RecipeOf(QuantizedWeight weight) => FamilyOf(weight).Recipe(weight);

    // Loops: they are asked for each of a hundred thousand tensors.
    private static DataType FamilyOf(QuantizedWeight weight)
    {
        foreach (DataType family in _all)
            if (family.Owns(weight)) return family;

        throw new ArgumentException($"no data type has weights of {weight.Type}", nameof(weight));
    }

    private static DataType FamilyOf(Quantization quantization)
    {
        foreach (DataType family in _all)
            if (family.Owns(quantization)) return family;

        throw new ArgumentException($"no data type has a {quantization.GetType().Name}", nameof(quantization));
    }
}
