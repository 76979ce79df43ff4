
namespace Bnb.Formats.Primitives;

/// <summary>Every rule a checkpoint can break, one member per rule. <see cref="FormatErrors"/> gives code and kind.</summary>
public enum FormatError
{
    /// <summary>ST-SHORT: the file is shorter than the length prefix.</summary>
    SafetensorsTooShort,

    /// <summary>ST-HDRMAX: the declared header length is over the limit.</summary>
    SafetensorsHeaderTooLong,

    /// <summary>ST-HDRLEN: the declared header runs past the end of the file.</summary>
    SafetensorsHeaderPastEnd,

    /// <summary>ST-UTF8: the header is not UTF-8.</summary>
    SafetensorsNotUtf8,

    /// <summary>ST-JSON: the header is not one JSON object.</summary>
    SafetensorsNotJson,

    /// <summary>ST-DUP: a key is given twice.</summary>
    SafetensorsDuplicateKey,

    /// <summary>ST-SCHEMA: a tensor entry lacks a member or is no object.</summary>
    SafetensorsSchema,

    /// <summary>ST-DTYPE: a dtype is not known.</summary>
    SafetensorsDType,

    /// <summary>ST-SHAPE: a shape is not a list of dimensions.</summary>
    SafetensorsShape,

    /// <summary>ST-META: <c>__metadata__</c> is not a map of text to text.</summary>
    SafetensorsMetadata,

    /// <summary>ST-OFFSET: the data offsets of a tensor are not a range.</summary>
    SafetensorsOffsets,

    /// <summary>ST-GAP: bytes of the data section belong to no tensor.</summary>
    SafetensorsGap,

    /// <summary>ST-OVERLAP: two tensors share bytes.</summary>
    SafetensorsOverlap,

    /// <summary>ST-SIZE: the range of a tensor is not shape times dtype.</summary>
    SafetensorsSize,

    /// <summary>ST-OVERFLOW: the size of a tensor does not fit 63 bits.</summary>
    SafetensorsOverflow,

    /// <summary>ST-SUBBYTE: a tensor of a packed dtype is not a whole number of bytes.</summary>
    SafetensorsSubByte,

    /// <summary>ST-TRUNC: the file ends before its last tensor does.</summary>
    SafetensorsTruncated,

    /// <summary>ST-TRAIL: the file goes on after its last tensor.</summary>
    SafetensorsTrailingBytes,

    /// <summary>FILE-LFS: a Git LFS pointer stands where the file should be.</summary>
    FileIsLfsPointer,

    /// <summary>FILE-MAGIC: the file is of another kind than its name says.</summary>
    FileIsSomethingElse,

    /// <summary>FILE-KIND: a folder, pipe, device or link loop, not a regular file.</summary>
    FileIsNotRegular,

    /// <summary>FILE-MISSING: a file that is needed is not there.</summary>
    FileMissing,

    /// <summary>FILE-DENIED: permission denied.</summary>
    FileDenied,

    /// <summary>FILE-NAME: a file's name is not text that can be written again.</summary>
    FileNameUnreadable,

    /// <summary>IDX-JSON: the shard index is not JSON.</summary>
    IndexNotJson,

    /// <summary>IDX-SCHEMA: the shard index lacks its weight map.</summary>
    IndexSchema,

    /// <summary>IDX-PATH: a shard name that cannot be a file name.</summary>
    IndexPathMalformed,

    /// <summary>IDX-PATH: a shard name that leads out of the folder or to another kind of file.</summary>
    IndexPathUnsafe,

    /// <summary>IDX-TENSOR: index and shards disagree about where a tensor is.</summary>
    IndexTensor,

    /// <summary>IDX-DUP: the shard index maps a tensor twice.</summary>
    IndexDuplicate,

    /// <summary>CFG-JSON: config.json is not JSON, or repeats a key.</summary>
    ConfigNotJson,

    /// <summary>CFG-SCHEMA: config.json is not an object.</summary>
    ConfigSchema,

    /// <summary>CFG-QUANTIZED: the checkpoint is quantized already.</summary>
    AlreadyQuantized,

    /// <summary>AUX-SYMLINK: a side file is a link out of the model folder.</summary>
    SideFileLink,

    /// <summary>AUX-LIMIT: more side files or folder levels than a model has.</summary>
    SideFileLimit,

    /// <summary>PT-ZIP: the container of a PyTorch file is damaged.</summary>
    TorchContainer,

    /// <summary>PT-ZIP: the container of a PyTorch file can be read in two ways, or hides something.</summary>
    TorchContainerUnsafe,

    /// <summary>PT-TRUNC: a PyTorch file ends too early.</summary>
    TorchTruncated,

    /// <summary>PT-RECORD: a record that a PyTorch file needs is not in it.</summary>
    TorchRecord,

    /// <summary>PT-BYTEORDER: a PyTorch file names a byte order that does not exist.</summary>
    TorchByteOrder,

    /// <summary>PT-CRC: a record of a PyTorch file has another checksum than its directory says.</summary>
    TorchChecksum,

    /// <summary>PT-COMPRESSED: a record of a PyTorch file is compressed.</summary>
    TorchCompressed,

    /// <summary>PT-BOMB: a record of a PyTorch file would expand without measure.</summary>
    TorchBomb,

    /// <summary>PT-UNSUP: a PyTorch file of a kind that is not read.</summary>
    TorchUnsupported,

    /// <summary>PT-GLOBAL: a pickle names a class or function that is not on the list.</summary>
    PickleGlobal,

    /// <summary>PT-OPCODE: a pickle has an opcode that is not on the list.</summary>
    PickleOpcode,

    /// <summary>PT-PICKLE: a pickle breaks a rule of the format, or is no dict of tensors.</summary>
    PickleMalformed,

    /// <summary>PT-PICKLE: a pickle does something to a value that nothing but an attack does.</summary>
    PickleUnsafe,

    /// <summary>PT-STORAGE: a storage of a PyTorch file does not have the bytes it claims.</summary>
    TorchStorage,

    /// <summary>PT-STRIDE: a tensor of a PyTorch file reaches out of its storage.</summary>
    TorchStride,

    /// <summary>PT-EXPAND: a tensor of a PyTorch file would take far more bytes than are stored for it.</summary>
    TorchExpand,

    /// <summary>BNB-STATE: a quant state blob is not what bitsandbytes writes.</summary>
    QuantState,

    /// <summary>CT-LAYOUT: a packed weight is not what compressed-tensors writes, or is packed in a way that is not
    /// read.</summary>
    PackedLayout,

    /// <summary>SRC-LAYOUT: the tensors of an FP8, FP4, GPTQ or AWQ weight do not fit each other, or are packed in a way that
    /// is not read.</summary>
    SourceLayout,

    /// <summary>IMX-LAYOUT: an importance matrix breaks its format, or is of another model.</summary>
    ImportanceLayout,

    /// <summary>LORA-UNSUP: an adapter of a kind that is not merged.</summary>
    AdapterUnsupported,

    /// <summary>LORA-LAYOUT: the tensors of an adapter do not fit each other.</summary>
    AdapterLayout,

    /// <summary>QUANT-UNSUP: tensors are quantized in a format that is not read.</summary>
    OtherQuantization,

    /// <summary>INPUT-CHANGED: a file became shorter or was replaced while it was read.</summary>
    InputChanged,
}
