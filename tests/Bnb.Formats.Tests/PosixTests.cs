using Bnb.Formats.Checkpoints;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.TestKit;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Formats.Tests;

public sealed class PosixTests
{
    [Fact]
    public void Fsync_FileAndFolder_Work()
    {
        using TempFolder temp = new();
        using SafeFileHandle handle = File.OpenHandle(temp["x"], FileMode.Create, FileAccess.Write);
        RandomAccess.Write(handle, new byte[100], 0);
        Posix.SyncFileRangeStart(handle, 0, 100);
        Posix.Fsync(handle);
        Posix.FsyncDirectory(temp.Path);

        Assert.Equal(100, RandomAccess.GetLength(handle));
    }

    [Fact]
    public void FsyncDirectory_MissingFolder_GivesTheErrorNumber()
    {
        using TempFolder temp = new();
        Assert.Equal(2, Assert.Throws<IOException>(() => Posix.FsyncDirectory(temp["no"])).HResult);
    }

    [Fact]
    public void Fsync_DeviceThatCannotSync_ReportsTheError()
    {
        // The error that .NET's own flush would swallow: a device that cannot be synced.
        if (!OperatingSystem.IsLinux()) Assert.Skip("Linux only");
        using SafeFileHandle handle = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.Write);

        Assert.Equal(22, Assert.Throws<IOException>(() => Posix.Fsync(handle)).HResult);
    }

    [Fact]
    public void Rename_Files_ReplacesAndReports()
    {
        using TempFolder temp = new();
        temp.Write("a", "a"u8);
        temp.Write("b", "b"u8);
        Posix.Rename(temp["a"], temp["b"]);

        Assert.Equal("a", File.ReadAllText(temp["b"]));
        Assert.Equal(2, Assert.Throws<IOException>(() => Posix.Rename(temp["a"], temp["b"])).HResult);
    }

    [Fact]
    public void RenameNoReplace_NameTaken_Throws()
    {
        using TempFolder temp = new();
        temp.Write("a", "a"u8);
        temp.Write("b", "b"u8);
        if (!Posix.RenameNoReplace(temp["a"], temp["c"])) Assert.Skip("not offered here");

        Assert.Equal(17, Assert.Throws<IOException>(() => Posix.RenameNoReplace(temp["c"], temp["b"])).HResult);
        Assert.Equal("b", File.ReadAllText(temp["b"]));
    }

    [Fact]
    public void RenameExchange_Folders_SwapsThem()
    {
        using TempFolder temp = new();
        temp.Write("a/x", "a"u8);
        temp.Write("b/x", "b"u8);
        if (!Posix.RenameExchange(temp["a"], temp["b"])) Assert.Skip("not offered here");

        Assert.Equal("b", File.ReadAllText(temp["a", "x"]));
        Assert.Equal("a", File.ReadAllText(temp["b", "x"]));
    }

    [Fact]
    public void Flock_Folder_IsHeldThroughARenameUntilDisposed()
    {
        using TempFolder temp = new();
        Directory.CreateDirectory(temp["a"]);
        using (SafeFileHandle? first = Posix.Flock(temp["a"]))
        {
            Assert.NotNull(first);
            Assert.Null(Posix.Flock(temp["a"]));
            Posix.Rename(temp["a"], temp["b"]);
            Assert.Null(Posix.Flock(temp["b"]));
        }

        using SafeFileHandle? again = Posix.Flock(temp["b"]);
        Assert.NotNull(again);
        Assert.Empty(Directory.GetFileSystemEntries(temp["b"]));
    }

    [Fact]
    public void Read_FileCutWhileOpen_IsInputChanged()
    {
        using TempFolder temp = new();
        string path = temp.Write("x", new byte[1000]);
        using PositionedFile file = PositionedFile.Open(path);
        using (FileStream cut = new(path, FileMode.Open, FileAccess.Write)) cut.SetLength(600);

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => file.Read(500, new byte[200]));

        Assert.Equal("INPUT-CHANGED", error.Error.Code());
        Assert.Equal(FormatErrorKind.Changed, error.Error.Kind());
    }

    [Fact]
    public void Read_BeyondFourGiB_ReadsTheRightBytes()
    {
        using TempFolder temp = new();
        const long Count = 5_000_000_000;
        // A sparse file: 5 GB long, a few blocks on disk.
        byte[] header = CheckpointBuilder.Raw($"{{\"a\":{{\"dtype\":\"U8\",\"shape\":[{Count}],\"data_offsets\":[0,{Count}]}}}}", []);
        string path = temp.Write("model.safetensors", header);
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write))
        {
            file.SetLength(header.Length + Count);
            file.Position = header.Length + Count - 3;
            file.Write([7, 8, 9]);
        }

        CheckpointTensor tensor = Checkpoint.Open(path, requireConfig: false).Tensors.Single();
        using PositionedFile reader = PositionedFile.Open(path);
        byte[] last = new byte[3];
        reader.Read(tensor.FileOffset + tensor.ByteCount - 3, last);

        Assert.Equal(Count, tensor.ByteCount);
        Assert.Equal([7, 8, 9], last);
    }

    [Fact]
    public void Identity_AnyChange_ShowsAndLooksAgree()
    {
        using TempFolder temp = new();
        string path = temp.Write("x", new byte[10]);
        FileIdentity before = FileIdentity.Of(path);
        using (PositionedFile file = PositionedFile.Open(path)) Assert.Equal(before, file.Identity);
        Assert.Equal(new FileInfo(path).Length, before.Length);
        Assert.Equal(File.GetLastWriteTimeUtc(path).Ticks, DateTime.UnixEpoch.Ticks + (before.ModifiedNs / 100));

        File.Delete(path);
        temp.Write("x", new byte[10]);
        File.SetLastWriteTimeUtc(path, new DateTime(DateTime.UnixEpoch.Ticks + (before.ModifiedNs / 100), DateTimeKind.Utc));
        Assert.NotEqual(before, FileIdentity.Of(path));
    }

    [Fact]
    public void Open_FileLockedByAnother_IsReadAnyway()
    {
        using TempFolder temp = new();
        string path = temp.Write("x", [1, 2, 3]);
        using FileStream locked = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        using PositionedFile file = PositionedFile.Open(path);
        byte[] bytes = new byte[3];
        file.Read(0, bytes);

        Assert.Equal([1, 2, 3], bytes);
    }
}
