namespace Bnb.TestKit;

/// <content>Odd PyTorch files that are legal.</content>
public static partial class HostileFiles
{
    private static IEnumerable<AcceptedCase> AcceptedTorchFiles() =>
    [
        FineBin("pt-ok-basic", () => TorchZip.Write(TorchZip.Basic())),
        FineBin("dir-ok-bin-single", () => TorchZip.Write(TorchZip.Basic())),
        FineBin("pt-ok-native-layout", () => TorchZip.Write(TorchZip.Basic(), isNative: true)),
        FinePickle("pt-ok-views", () => TorchPickle.StateDict(
            ("t", TorchPickle.W(sizes: [4, 3], strides: [1, 4])), ("row", TorchPickle.W(offset: 4, sizes: [4], strides: [1])),
            ("step", TorchPickle.W(sizes: [3, 2], strides: [4, 2])), ("expand", TorchPickle.W(sizes: [5, 4], strides: [0, 1])))),
        FinePickle("pt-ok-no-protocol", () => TorchPickle.Basic()[2..]),
        FineBin("pt-ok-scalar-empty", () => TorchZip.Write(TorchZip.Records(
            TorchPickle.StateDict(
                ("s", TorchPickle.W(sizes: [], strides: [])), ("e", TorchPickle.W(key: "1", count: 0, sizes: [0, 4], strides: [4, 1])),
                ("far", TorchPickle.W(offset: 100, sizes: [0], strides: [1]))),
            TorchZip.TwelveFloats,
            []))),
        FineBin("pt-ok-bf16-half-int", () => TorchZip.Write(TorchZip.Records(
            TorchPickle.StateDict([.. ((string[])["BFloat16Storage", "HalfStorage", "LongStorage", "BoolStorage"])
                .Select((type, i) => (type, TorchPickle.W($"{i}", 2, sizes: [2], strides: [1], type: type)))]),
            Data(4),
            Data(4),
            Data(16),
            [0, 1]))),
        FineZip("pt-ok-no-byteorder", records => records.RemoveAll(record => record.Name.EndsWith("byteorder", StringComparison.Ordinal))),
        FineZip("pt-ok-zip64", records => Change(records, _ => true, record => record with { IsZip64 = true })),
        FinePickle("pt-ok-cuda-location", () => TorchPickle.StateDict(("w", pickle => pickle.Tensor("FloatStorage", "0", 12, 0, [3, 4], [4, 1], "cuda:0")))),
        FinePickle("pt-ok-metadata-build", () => TorchPickle.Of(pickle => pickle
            .Dict(("w", TorchPickle.W())).Ops("}").Text("_metadata").EmptyOrderedDict().Text("").Ops("}").Text("version").Number(1).Ops("sssb"))),
        FinePickle("pt-ok-parameter", () => TorchPickle.StateDict(("w", pickle =>
        {
            pickle.Global("torch._utils", "_rebuild_parameter").Ops("(");
            TorchPickle.W()(pickle);
            pickle.Raw(0x88).EmptyOrderedDict().Ops("tR");
        }))),
        FinePickle("pt-ok-parameter-with-attributes", () => TorchPickle.StateDict(("w", pickle =>
        {
            pickle.Global("torch._utils", "_rebuild_parameter_with_state").Ops("(");
            TorchPickle.W()(pickle);
            pickle.Raw(0x88).EmptyOrderedDict().Ops("}").Text("_is_hf_initialized").Raw(0x88).Ops("stR");
        }))),
        FinePickle("pt-ok-tensor-with-attributes", () => TorchPickle.StateDict(("w", pickle => pickle
            .Global("torch._tensor", "_rebuild_from_type_v2").Ops("(").Global("torch._utils", "_rebuild_tensor_v2").Global("torch", "Tensor")
            .Ops("(").Storage("FloatStorage", "0", 12).Number(0).Ints(3, 4).Ints(4, 1).Raw(0x89).EmptyOrderedDict().Ops("t}tR")))),
        FinePickle("pt-ok-long1-sizes", () => TorchPickle.StateDict(("w", pickle => pickle
            .Global("torch._utils", "_rebuild_tensor_v2").Ops("(").Storage("FloatStorage", "0", 12).Number(0)
            .Ops("(").Raw(0x8a, 1, 3, 0x8a, 1, 4).Ops("t").Ints(4, 1).Raw(0x89).EmptyOrderedDict().Ops("tR")))),
        FinePickle("pt-ok-size", () => TorchPickle.StateDict(("w", pickle => pickle
            .Global("torch._utils", "_rebuild_tensor_v2").Ops("(").Storage("FloatStorage", "0", 12).Number(0)
            .Global("torch", "Size").Ints(3, 4).Raw(0x85).Ops("R").Ints(4, 1).Raw(0x89).EmptyOrderedDict().Ops("tR")))),
        FinePickle("pt-ok-plain-dict", () => TorchPickle.Of(pickle =>
        {
            pickle.Ops("}").Text("w");
            TorchPickle.W()(pickle);
            pickle.Ops("s");
        })),
        FinePickle("pt-ok-empty-dict", () => TorchPickle.Of(pickle => pickle.Ops("}"))),
        FineZip("pt-ok-crc-zero", records => Change(records, _ => true, record => record with { Crc = 0 })),
        FineZip("pt-ok-extra-records", records => records.AddRange(
            [new("archive/.data/serialization_id", Data(40)), new("archive/.format_version", "1"u8.ToArray()), new("archive/.storage_alignment", "64"u8.ToArray())])),
        FinePickle("pt-ok-float8-v3", () => TorchPickle.StateDict(("w", pickle => pickle
            .Global("torch._utils", "_rebuild_tensor_v3").Ops("(").Storage("UntypedStorage", "0", 48, module: "torch.storage")
            .Number(0).Ints(6, 8).Ints(8, 1).Raw(0x89).EmptyOrderedDict().Global("torch", "float8_e4m3fn").Ops("tR")))),
        FinePickle("pt-ok-nested-state-dict", () => TorchPickle.Of(pickle =>
        {
            pickle.Ops("}(").Text("epoch").Number(3).Text("state_dict");
            pickle.Dict(("w", TorchPickle.W())).Ops("u");
        })),
        FinePickle("pt-ok-memo", () => TorchPickle.Of(pickle =>
        {
            pickle.EmptyOrderedDict().Ops("(").Text("w");
            TorchPickle.W()(pickle);
            pickle.Raw((byte)'r', 0, 1, 0, 0).Text("tied").Raw((byte)'j', 0, 1, 0, 0).Ops("u");
        })),
        FinePickle("pt-ok-extra-scalars", () => TorchPickle.StateDict(("w", TorchPickle.W()), ("steps", pickle => pickle.Number(3)), ("name", pickle => pickle.Text("x")))),
        FineBin("pt-ok-legacy", () => TorchStream(TorchPickle.StateDict(("w", TorchPickle.W())), ("0", TorchZip.TwelveFloats, 12))),
        FineBin("pt-ok-legacy-python2", () => TorchStream(
            TorchPickle.Of(pickle =>
            {
                // OrderedDict([["w", tensor]]) with byte strings, as Python 2 pickled it.
                pickle.Global("collections", "OrderedDict").Ops("](](U\u0001w");
                TorchPickle.W()(pickle);
                pickle.Ops("ee\u0085R");
            }),
            ("0", TorchZip.TwelveFloats, 12))),
        FineBin("pt-ok-legacy-storage-view", () => TorchStream(
            TorchPickle.StateDict(("w", pickle => pickle.Global("torch._utils", "_rebuild_tensor").Ops("(")
                .Ops("(").Text("storage").Global("torch", "FloatStorage").Text("0").Text("cpu").Number(12).Ops("(").Text("v").Number(4).Number(8).Ops("ttQ")
                .Number(1).Ints(2, 3).Ints(3, 1).Ops("tR"))),
            ("0", TorchZip.TwelveFloats, 12))),
    ];

    private static AcceptedCase FineBin(string name, Func<byte[]> bytes) => new(name, temp => ModelOf(temp, bytes(), "pytorch_model.bin"));

    private static AcceptedCase FinePickle(string name, Func<byte[]> pickle) => FineBin(name, () => TorchZip.Write(pickle()));

    private static AcceptedCase FineZip(string name, Action<List<TorchRecord>> change) => FineBin(name, () =>
    {
        List<TorchRecord> records = TorchZip.Basic();
        change(records);
        return TorchZip.Write(records);
    });
}
