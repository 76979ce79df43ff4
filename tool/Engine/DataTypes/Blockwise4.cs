using System.Text.Json;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Nested;

namespace Bnb.Engine.DataTypes;

/// <summary>nf4 and fp4 as bitsandbytes' Linear4bit stores them.</summary>
/// <param name="Code">nf4 or fp4.</param>
/// <param name="Blocksize">Values per absmax, 32 to 4096, a power of two.</param>
/// <param name="DoubleQuant">Quantize the absmax values to 8 bit in blocks of 256 (nested).</param>
/// <param name="QuantStorage">The dtype under which the packed bytes are declared; the bytes are the same.</param>
internal sealed record Blockwise4Recipe(Code4 Code, int Blocksize, bool DoubleQuant, DType QuantStorage) : QuantizeRecipe
{
    public override string Type => Code.Name;

    public override PolicyTarget Target => PolicyTarget.Bnb4;

    public override int Blocksize { get; } = Blocksize;

    // The text of nested_offset in the quant_state has no fixed length.
    // A search needs no offset.
    public override bool SizeDependsOnWeights => DoubleQuant && Scale == ScaleRule.Absmax;

    /// <summary>
    /// Codes per element of <see cref="QuantStorage"/>. The packed tensor's shape is <c>[n / this, 1]</c>, so a tensor whose
    /// n is not a multiple would lose its tail (for uint8 the odd last nibble is padded instead).
    /// </summary>
    public int CodesPerStorageElement => QuantStorage.BitSize() / 4;

    /// <summary>The same but for the size of the blocks.</summary>
    public Blockwise4Recipe WithBlocksize(int blocksize) => new(Code, blocksize, DoubleQuant, QuantStorage) { Scale = Scale };

    public override void WriteOptions(Utf8JsonWriter json)
    {
        json.WriteNumber("block_size", Blocksize);
        json.WriteBoolean("double_quant", DoubleQuant);
        json.WriteString("quant_storage", TorchName(QuantStorage));
    }

    public override IEnumerable<string> CompanionNames(string weightName) =>
    [
        BnbKeys.Absmax(weightName),
        BnbKeys.QuantMap(weightName),
        BnbKeys.NestedAbsmax(weightName),
        BnbKeys.NestedQuantMap(weightName),
        BnbKeys.QuantState(weightName, Code.Name),
    ];

    public override Quantization For(DType sourceType, long rows, long columns, bool transpose) =>
        new Blockwise4Quantization(sourceType, rows, columns, transpose, this);

    public override byte[] WriteConfig(ModelConfig source, ConfigContent content) =>
        source.InsertQuantizationConfig(new BnbQuantizationConfig(Code.Name, DoubleQuant, content.ComputeDType, TorchName(QuantStorage), content.SkipModules));

    public static string TorchName(DType storage) => storage switch
    {
        DType.U8 => "uint8",
        DType.F16 => "float16",
        DType.BF16 => "bfloat16",
        DType.F32 => "float32",
        _ => throw new ArgumentOutOfRangeException(nameof(storage), storage, "not a storage dtype"),
    };
}

/// <summary>A weight on its way to nf4 or fp4.</summary>
internal sealed record Blockwise4Quantization(DType SourceType, long Rows, long Columns, bool Transpose, Blockwise4Recipe Recipe)
    : Quantization(SourceType, Rows, Columns, Transpose)
{
    public const int NestedBlocksize = NestedAbsmax.Blocksize;

    public int Blocksize => Recipe.Blocksize;

    public long PackedBytes => (ValueCount + 1) / 2;

    public long BlockCount => (ValueCount + Blocksize - 1) / Blocksize;

    public long NestedBlockCount => (BlockCount + NestedBlocksize - 1) / NestedBlocksize;

    // A unit of work owns whole nested blocks and whole bytes.
    public override BufferShape Buffers => new(4, Blocksize, Blocksize * NestedBlocksize);

    /// <summary>The blob's content, <paramref name="nestedOffset"/> being null without double quantization.</summary>
    public BnbQuantState State(float? nestedOffset) => new(Recipe.Code.Name, Blocksize, TorchDType, [Rows, Columns], nestedOffset);

    public override IEnumerable<PlannedTensor> Outputs(string weightName)
    {
        int storageBytes = Recipe.QuantStorage.BitSize() / 8;
        yield return new PlannedTensor(weightName, Recipe.QuantStorage, TensorShape.Of(PackedBytes / storageBytes, 1), OutputRole.Codes, PackedBytes);
        yield return Recipe.DoubleQuant
            ? new PlannedTensor(BnbKeys.Absmax(weightName), DType.U8, TensorShape.Of(BlockCount), OutputRole.Scale, BlockCount)
            : new PlannedTensor(BnbKeys.Absmax(weightName), DType.F32, TensorShape.Of(BlockCount), OutputRole.Scale, BlockCount * sizeof(float));
        yield return new PlannedTensor(BnbKeys.QuantMap(weightName), DType.F32, TensorShape.Of(16), OutputRole.QuantMap, 16 * sizeof(float));
        if (Recipe.DoubleQuant)
        {
            yield return new PlannedTensor(
                BnbKeys.NestedAbsmax(weightName), DType.F32, TensorShape.Of(NestedBlockCount), OutputRole.NestedAbsmax, NestedBlockCount * sizeof(float));
            yield return new PlannedTensor(
                BnbKeys.NestedQuantMap(weightName), DType.F32, TensorShape.Of(256), OutputRole.NestedQuantMap, 256 * sizeof(float));
        }

        // Searched scales have the offset 0, so the text's length is known.
        BnbQuantState text = State(Recipe.DoubleQuant ? 0f : null);
        int state = Scale == ScaleRule.Search ? text.ToUtf8().Length : text.MaxUtf8Length;
        yield return new PlannedTensor(BnbKeys.QuantState(weightName, Recipe.Code.Name), DType.U8, TensorShape.Of(state), OutputRole.QuantState, state);
    }
}
