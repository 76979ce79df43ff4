namespace Bnb.Formats.IO;

/// <summary>What a directory entry is.</summary>
internal enum FileKind
{
    Regular,
    Folder,
    Link,
    Pipe,
    Socket,
    CharacterDevice,
    BlockDevice,
    Other,
}
