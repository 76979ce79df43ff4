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

    /// <summary>PT-UNSUP: weights in a PyTorch pickle, which are not read.</summary>
    PickleUnsupported,

    /// <summary>BNB-STATE: a quant state blob is not what bitsandbytes writes.</summary>
    QuantState,

    /// <summary>CT-LAYOUT: a packed weight is not what compressed-tensors writes, or is packed in a way that is not
    /// read.</summary>
    PackedLayout,

    /// <summary>IMX-LAYOUT: an importance matrix breaks its format, or is of another model.</summary>
    ImportanceLayout,

    /// <summary>QUANT-UNSUP: tensors are quantized in a format that is not read.</summary>
    OtherQuantization,

    /// <summary>INPUT-CHANGED: a file became shorter or was replaced while it was read.</summary>
    InputChanged,
}
