namespace Bnb.Formats.Primitives;

/// <summary>Code and kind of every <see cref="FormatError"/>.</summary>
public static class FormatErrors
{
    /// <summary>The code users see and tests name, for example <c>ST-TRUNC</c>.</summary>
    public static string Code(this FormatError error) => error switch
    {
        FormatError.SafetensorsTooShort => "ST-SHORT",
        FormatError.SafetensorsHeaderTooLong => "ST-HDRMAX",
        FormatError.SafetensorsHeaderPastEnd => "ST-HDRLEN",
        FormatError.SafetensorsNotUtf8 => "ST-UTF8",
        FormatError.SafetensorsNotJson => "ST-JSON",
        FormatError.SafetensorsDuplicateKey => "ST-DUP",
        FormatError.SafetensorsSchema => "ST-SCHEMA",
        FormatError.SafetensorsDType => "ST-DTYPE",
        FormatError.SafetensorsShape => "ST-SHAPE",
        FormatError.SafetensorsMetadata => "ST-META",
        FormatError.SafetensorsOffsets => "ST-OFFSET",
        FormatError.SafetensorsGap => "ST-GAP",
        FormatError.SafetensorsOverlap => "ST-OVERLAP",
        FormatError.SafetensorsSize => "ST-SIZE",
        FormatError.SafetensorsOverflow => "ST-OVERFLOW",
        FormatError.SafetensorsSubByte => "ST-SUBBYTE",
        FormatError.SafetensorsTruncated => "ST-TRUNC",
        FormatError.SafetensorsTrailingBytes => "ST-TRAIL",
        FormatError.FileIsLfsPointer => "FILE-LFS",
        FormatError.FileIsSomethingElse => "FILE-MAGIC",
        FormatError.FileIsNotRegular => "FILE-KIND",
        FormatError.FileMissing => "FILE-MISSING",
        FormatError.FileDenied => "FILE-DENIED",
        FormatError.FileNameUnreadable => "FILE-NAME",
        FormatError.IndexNotJson => "IDX-JSON",
        FormatError.IndexSchema => "IDX-SCHEMA",
        FormatError.IndexPathMalformed or FormatError.IndexPathUnsafe => "IDX-PATH",
        FormatError.IndexTensor => "IDX-TENSOR",
        FormatError.IndexDuplicate => "IDX-DUP",
        FormatError.ConfigNotJson => "CFG-JSON",
        FormatError.ConfigSchema => "CFG-SCHEMA",
        FormatError.AlreadyQuantized => "CFG-QUANTIZED",
        FormatError.SideFileLink => "AUX-SYMLINK",
        FormatError.SideFileLimit => "AUX-LIMIT",
        FormatError.TorchContainer or FormatError.TorchContainerUnsafe => "PT-ZIP",
        FormatError.TorchTruncated => "PT-TRUNC",
        FormatError.TorchRecord => "PT-RECORD",
        FormatError.TorchByteOrder => "PT-BYTEORDER",
        FormatError.TorchChecksum => "PT-CRC",
        FormatError.TorchCompressed => "PT-COMPRESSED",
        FormatError.TorchBomb => "PT-BOMB",
        FormatError.TorchUnsupported => "PT-UNSUP",
        FormatError.PickleGlobal => "PT-GLOBAL",
        FormatError.PickleOpcode => "PT-OPCODE",
        FormatError.PickleMalformed or FormatError.PickleUnsafe => "PT-PICKLE",
        FormatError.TorchStorage => "PT-STORAGE",
        FormatError.TorchStride => "PT-STRIDE",
        FormatError.TorchExpand => "PT-EXPAND",
        FormatError.QuantState => "BNB-STATE",
        FormatError.PackedLayout => "CT-LAYOUT",
        FormatError.SourceLayout => "SRC-LAYOUT",
        FormatError.ImportanceLayout => "IMX-LAYOUT",
        FormatError.AdapterUnsupported => "LORA-UNSUP",
        FormatError.AdapterLayout => "LORA-LAYOUT",
        FormatError.OtherQuantization => "QUANT-UNSUP",
        FormatError.InputChanged => "INPUT-CHANGED",
        _ => throw new ArgumentOutOfRangeException(nameof(error), error, null),
    };

    /// <summary>What kind of trouble it is.</summary>
    public static FormatErrorKind Kind(this FormatError error) => error switch
    {
        FormatError.FileIsLfsPointer or FormatError.FileIsNotRegular or FormatError.FileMissing or FormatError.FileDenied
            or FormatError.FileNameUnreadable => FormatErrorKind.Missing,
        FormatError.IndexPathUnsafe or FormatError.SideFileLink or FormatError.SideFileLimit
            or FormatError.TorchContainerUnsafe or FormatError.TorchBomb or FormatError.PickleGlobal or FormatError.PickleOpcode
            or FormatError.PickleUnsafe or FormatError.TorchExpand => FormatErrorKind.Unsafe,
        FormatError.AlreadyQuantized or FormatError.TorchUnsupported or FormatError.TorchCompressed
            or FormatError.OtherQuantization or FormatError.AdapterUnsupported => FormatErrorKind.Unsupported,
        FormatError.TorchChecksum => FormatErrorKind.Damaged,
        FormatError.InputChanged => FormatErrorKind.Changed,
        _ => FormatErrorKind.Malformed,
    };
}
