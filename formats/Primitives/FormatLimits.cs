namespace Bnb.Formats.Primitives;

/// <summary>
/// Upper bounds on what a file may claim. Each is far above what real checkpoints need and exists so that no claimed number
/// is turned into memory or time before it was compared with something.
/// </summary>
public static class FormatLimits
{
    /// <summary>Bytes of a safetensors header; the limit of the reference implementation.</summary>
    public const long HeaderBytes = 100_000_000;

    /// <summary>Nesting of a header's JSON; a header needs 3, the rest is room for members that are ignored.</summary>
    public const int HeaderDepth = 64;

    /// <summary>Dimensions of one tensor; numpy stops at 64.</summary>
    public const int Rank = 1024;

    /// <summary>Bytes of a shard index; one of a million tensors takes about 100 MB.</summary>
    public const long IndexBytes = 200_000_000;

    /// <summary>Bytes of config.json.</summary>
    public const long ConfigBytes = 16_000_000;

    /// <summary>Nesting of config.json and of a shard index.</summary>
    public const int ConfigDepth = 64;

    /// <summary>UTF-8 bytes of one file or folder name (Linux NAME_MAX).</summary>
    public const int FileNameBytes = 255;

    /// <summary>UTF-8 bytes of a relative shard path.</summary>
    public const int ShardPathBytes = 1024;

    /// <summary>Entries of one folder that are looked at.</summary>
    public const int FolderEntries = 100_000;

    /// <summary>Side files of one model.</summary>
    public const int SideFiles = 10_000;

    /// <summary>Folder levels below a model folder that are searched for side files.</summary>
    public const int SideFileDepth = 5;

    /// <summary>A Git LFS pointer is never longer, so only files up to this length are looked at as one.</summary>
    public const int LfsPointerBytes = 1024;

    /// <summary>Lines of a list in one message; the rest becomes a count.</summary>
    public const int ListedItems = 20;

    /// <summary>Bytes of one quant state blob.</summary>
    public const int QuantStateBytes = 65_536;

    /// <summary>Bytes of one pickle in a PyTorch file; one of 400,000 tensors takes about 80 MB.</summary>
    public const long PickleBytes = 128_000_000;

    /// <summary>Values that a pickle may push, memoize and put into containers, which bounds the memory it takes; a tensor
    /// needs about 70.</summary>
    public const int PickleCells = 16_000_000;

    /// <summary>Nesting of tuples in a pickle; a checkpoint needs 3.</summary>
    public const int PickleDepth = 32;

    /// <summary>Bytes of a zip directory; one of a million records takes about 100 MB.</summary>
    public const long ZipDirectoryBytes = 128_000_000;

    /// <summary>How many times more bytes the tensors of a PyTorch file may have than are stored for them; views share bytes,
    /// and a stride of 0 repeats them.</summary>
    public const int TorchExpansion = 16;

    /// <summary>Bytes that a tensor of a PyTorch file may have, however few are stored for it.</summary>
    public const long TorchExpansionFloor = 1 << 20;
}
