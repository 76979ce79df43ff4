namespace Bnb.TestKit;

/// <content>PyTorch files whose container breaks a rule.</content>
public static partial class HostileFiles
{
    private static IEnumerable<HostileCase> TorchContainers() =>
    [
        Bin(98, "pt-bad-lfs-pointer", "FILE-LFS", () => Utf8(Pointer), exit: 3),
        Bin(107, "pt-bad-safetensors-inside", "FILE-MAGIC", () => CheckpointBuilder.Raw(Basic, Data(16))),
        Bin(123, "pt-bad-empty", "PT-ZIP", () => []),
        Bin(124, "pt-bad-not-zip", "PT-ZIP", () => [0xe1, .. Data(2000)]),
        Zip(125, "pt-bad-two-data-pkl", "PT-ZIP", records => records.Add(records[0] with { Data = TorchPickle.Of(p => p.Ops("}")) }), exit: 5),
        Zip(126, "pt-bad-two-roots", "PT-ZIP", records => records.Add(new("other/data/1", Data(4)))),
        Zip(127, "pt-bad-no-root", "PT-ZIP", records => Change(records, _ => true, record => record with { Name = record.Name["archive/".Length..] })),
        Bin(128, "pt-bad-prefix-junk", "PT-ZIP", () => [.. Enumerable.Repeat((byte)0xee, 512), .. TorchZip.Write(TorchZip.Basic())]),
        Bin(129, "pt-bad-trailing-junk", "PT-ZIP", () => [.. TorchZip.Write(TorchZip.Basic()), .. Data(100)]),
        Zip(130, "pt-bad-encrypted-flag", "PT-ZIP", records => Change(records, "data/0", record => record with { Flags = 1 }), exit: 5),
        Zip(131, "pt-bad-local-name-differs", "PT-ZIP", records => Change(records, "data.pkl", record => record with { LocalName = "archive/data.pk1" }), exit: 5),
        Zip(132, "pt-bad-offset-lie", "PT-ZIP", records => Change(records, "data/0", record => record with { Offset = 0x7fff0000 })),
        Bin(133, "pt-bad-truncated-1", "PT-TRUNC", () => TorchZip.Write(TorchZip.Basic())[..^1]),
        Bin(134, "pt-bad-truncated-half", "PT-TRUNC", () => TorchZip.Write(TorchZip.Basic()) is var whole ? whole[..(whole.Length / 2)] : whole),
        Zip(135, "pt-bad-no-data-pkl", "PT-RECORD", records => records.RemoveAll(record => record.Name.EndsWith("data.pkl", StringComparison.Ordinal))),
        Zip(136, "pt-bad-no-version", "PT-RECORD", records => records.RemoveAll(record => record.Name.EndsWith("version", StringComparison.Ordinal))),
        Zip(137, "pt-bad-missing-storage", "PT-RECORD", records => records.RemoveAll(record => record.Name.EndsWith("data/0", StringComparison.Ordinal))),
        Pickled(138, "pt-bad-key-traversal", "PT-RECORD", () => TorchPickle.StateDict(("w", TorchPickle.W(key: "../../../etc/passwd")))),
        Zip(139, "pt-bad-byteorder", "PT-BYTEORDER", records => Change(records, "byteorder", record => record with { Data = Utf8("middle") })),
        Zip(141, "pt-bad-deflated-storage", "PT-COMPRESSED", records => Change(records, "data/0", record => record with { Method = 8, Stored = 40 }), exit: 6),
        Zip(142, "pt-bad-pickle-bomb", "PT-BOMB", records => Change(records, "data.pkl", record => record with { Method = 8, Stored = 65_000, Length = 64_000_000 }), exit: 5),
        Zip(143, "pt-bad-version-99", "PT-UNSUP", records => Change(records, "version", record => record with { Data = Utf8("99\n") }), exit: 6),
        Zip(144, "pt-bad-torchscript", "PT-UNSUP", records => records.AddRange([new("archive/constants.pkl", Data(4)), new("archive/code/__torch__.py", Data(4))]), exit: 6),
        Pickled(145, "pt-bad-not-a-dict", "PT-UNSUP", () => TorchPickle.Of(pickle => TorchPickle.W()(pickle)), exit: 6),
        Pickled(0, "pt-bad-list-of-tensors", "PT-UNSUP", () => TorchPickle.Of(pickle =>
        {
            pickle.Ops("](");
            TorchPickle.W()(pickle);
            pickle.Ops("e");
        }), exit: 6),
        Pickled(146, "pt-bad-qtensor", "PT-UNSUP", () => TorchPickle.StateDict(("w", pickle => pickle
            .Global("torch._utils", "_rebuild_qtensor").Ops("(").Storage("QInt8Storage", "0", 48).Number(0).Ints(3, 4).Ints(4, 1)
            .Ops("(").Global("torch", "per_tensor_affine").Ops("G").Raw(0x3f, 0xf0, 0, 0, 0, 0, 0, 0).Number(0).Ops("t")
            .Raw(0x89).EmptyOrderedDict().Ops("tR"))), exit: 6),
        Pickled(147, "pt-bad-complex", "PT-UNSUP", () => TorchPickle.StateDict(("w", TorchPickle.W(type: "ComplexDoubleStorage", count: 3, sizes: [3], strides: [1]))), exit: 6),
        Zip(0, "pt-ok-byteorder-big", "PT-UNSUP", records => Change(records, "byteorder", record => record with { Data = Utf8("big") }), exit: 6),
        Zip(0, "pt-bad-pickle-crc", "PT-CRC", records => Change(records, "data.pkl", record => record with { Crc = 0x12345678 }), exit: 7),
        Zip(0, "pt-bad-record-overlap", "PT-STORAGE", records => Change(records, "data/0", record => record with { Length = 52 })),
        Zip(0, "pt-bad-local-length-differs", "PT-ZIP", records => Change(records, "data/0", record => record with { LocalLength = 44 }), exit: 5),
        Bin(0, "pt-bad-end-records-differ", "PT-ZIP", () => Poke(TorchZip.Write(TorchZip.Basic(), isNative: true), fromEnd: 10, 1), exit: 5),
        Bin(0, "pt-bad-second-end-in-comment", "PT-ZIP", () =>
        {
            byte[] file = TorchZip.Write(TorchZip.Basic());
            byte[] comment = [.. "PK\u0005\u0006"u8, .. Data(10)];
            file[^2] = (byte)comment.Length;
            return [.. file, .. comment];
        }, exit: 5),
        Bin(0, "pt-bad-tar", "PT-UNSUP", () => [.. new byte[257], .. "ustar"u8, .. Data(300)], exit: 6),
    ];

    /// <summary>A case of a model folder whose weights are <c>pytorch_model.bin</c> with these bytes.</summary>
    private static HostileCase Bin(int number, string name, string code, Func<byte[]> bytes, int exit = 4) =>
        new(name, code, exit, temp => ModelOf(temp, bytes(), "pytorch_model.bin")) { Number = number };

    /// <summary>As <see cref="Bin"/> with the records of the basic file and one change.</summary>
    private static HostileCase Zip(int number, string name, string code, Action<List<TorchRecord>> change, int exit = 4) => Bin(
        number,
        name,
        code,
        () =>
        {
            List<TorchRecord> records = TorchZip.Basic();
            change(records);
            return TorchZip.Write(records);
        },
        exit);

    /// <summary>As <see cref="Bin"/> with the container of the basic file and another pickle.</summary>
    private static HostileCase Pickled(int number, string name, string code, Func<byte[]> pickle, int exit = 4) =>
        Bin(number, name, code, () => TorchZip.Write(pickle()), exit);

    private static void Change(List<TorchRecord> records, string name, Func<TorchRecord, TorchRecord> change) =>
        Change(records, record => record.Name == "archive/" + name, change);

    private static void Change(List<TorchRecord> records, Func<TorchRecord, bool> which, Func<TorchRecord, TorchRecord> change)
    {
        for (int i = 0; i < records.Count; i++)
        {
            if (which(records[i])) records[i] = change(records[i]);
        }
    }

    private static byte[] Poke(byte[] file, int fromEnd, byte value)
    {
        file[^fromEnd] ^= value;
        return file;
    }
}
