namespace Bnb.TestKit;

/// <content>PyTorch files whose tensors and storages do not fit together.</content>
public static partial class HostileFiles
{
    private static IEnumerable<HostileCase> TorchTensors() =>
    [
        Zip(187, "pt-bad-size-lie", "PT-STORAGE", records => Change(records, "data/0", record => record with { Length = 4800 })),
        Tensor(188, "pt-bad-numel-too-large", "PT-STORAGE", TorchPickle.W(count: 1000)),
        Tensor(189, "pt-bad-numel-too-small", "PT-STORAGE", TorchPickle.W(count: 11, sizes: [11], strides: [1])),
        Tensor(190, "pt-bad-numel-negative", "PT-STORAGE", TorchPickle.W(count: -12)),
        Tensor(191, "pt-bad-numel-2-62", "PT-STORAGE", TorchPickle.W(count: 1L << 62)),
        Tensor(192, "pt-bad-offset-past-end", "PT-STRIDE", TorchPickle.W(offset: 9)),
        Tensor(193, "pt-bad-offset-negative", "PT-STRIDE", TorchPickle.W(offset: -1)),
        Tensor(194, "pt-bad-size-past-end", "PT-STRIDE", TorchPickle.W(sizes: [3, 5])),
        Tensor(195, "pt-bad-stride-past-end", "PT-STRIDE", TorchPickle.W(strides: [5, 1])),
        Tensor(196, "pt-bad-stride-negative", "PT-STRIDE", TorchPickle.W(strides: [4, -1])),
        Tensor(197, "pt-bad-stride-overflow", "PT-STRIDE", TorchPickle.W(strides: [1L << 62, 1])),
        Tensor(198, "pt-bad-size-negative", "PT-STRIDE", TorchPickle.W(sizes: [3, -4])),
        Tensor(199, "pt-bad-rank-mismatch", "PT-STRIDE", TorchPickle.W(strides: [4, 1, 1])),
        Tensor(200, "pt-bad-expand-bomb", "PT-EXPAND", TorchPickle.W(sizes: [1L << 40], strides: [0]), exit: 5),
        Tensor(0, "pt-bad-element-count-overflow", "PT-STRIDE", TorchPickle.W(sizes: [1L << 32, 1L << 32], strides: [0, 0])),
        Tensor(0, "pt-bad-byte-count-overflow", "PT-STRIDE", TorchPickle.W(sizes: [1L << 61], strides: [0])),
        Pickled(0, "pt-bad-expand-many", "PT-EXPAND", () => TorchPickle.StateDict([.. Enumerable.Range(0, 40)
            .Select(i => ($"w{i}", TorchPickle.W(sizes: [20_000, 1], strides: [0, 1])))]), exit: 5),
        Pickled(0, "pt-bad-conjugate-view", "PT-UNSUP", () => TorchPickle.StateDict(("w", pickle => pickle
            .Global("torch._utils", "_rebuild_tensor_v2").Ops("(").Storage("FloatStorage", "0", 12).Number(0).Ints(3, 4).Ints(4, 1)
            .Raw(0x89).EmptyOrderedDict().Ops("}").Text("neg").Raw(0x88).Ops("s").Ops("tR"))), exit: 6),
        Stream("pt-bad-stream-truncated", "PT-TRUNC", stream => stream[..^6]),
        Stream("pt-bad-stream-trailing", "PT-ZIP", stream => [.. stream, .. Data(5)]),
        Stream("pt-bad-stream-count", "PT-TRUNC", stream => Poke(stream, fromEnd: 48 + 1, 0x7f)),
        Stream("pt-bad-stream-count-negative", "PT-STORAGE", stream => Poke(stream, fromEnd: 48 + 1, 0x80)),
        Stream("pt-bad-stream-count-differs", "PT-STORAGE", stream => Poke(stream, fromEnd: 48 + 8, 12 ^ 8)[..^16]),
    ];

    private static HostileCase Tensor(int number, string name, string code, Action<TorchPickle> tensor, int exit = 4) =>
        Pickled(number, name, code, () => TorchPickle.StateDict(("w", tensor)), exit);

    private static HostileCase Stream(string name, string code, Func<byte[], byte[]> change) =>
        Bin(0, name, code, () => change(TorchStream(TorchPickle.Basic(), ("0", TorchZip.TwelveFloats, 12))));

    /// <summary>The stream form: five pickles, then each storage as a count and its bytes.</summary>
    private static byte[] TorchStream(byte[] pickle, params ReadOnlySpan<(string Key, byte[] Data, long Count)> storages)
    {
        List<byte> file =
        [
            .. TorchPickle.Of(p => p.Raw(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19)),
            .. TorchPickle.Of(p => p.Number(1001)),
            .. TorchPickle.Of(p => p.Ops("}(").Text("protocol_version").Number(1001).Text("little_endian").Raw(0x88).Ops("u")),
            .. pickle,
        ];
        TorchPickle keys = new();
        keys.Ops("](");
        foreach ((string key, _, _) in storages) keys.Text(key);
        file.AddRange(keys.Ops("e").Bytes);
        foreach ((_, byte[] data, long count) in storages)
        {
            file.AddRange(BitConverter.GetBytes(count));
            file.AddRange(data);
        }

        return [.. file];
    }
}
