namespace Bnb.TestKit;

/// <content>PyTorch files whose pickle does more than weights need, or less than a pickle must.</content>
public static partial class HostileFiles
{
    private static IEnumerable<HostileCase> TorchPickles() =>
    [
        Evil(148, "pt-evil-os-system", "os", "system"),
        Evil(149, "pt-evil-posix-system", "posix", "system"),
        Evil(150, "pt-evil-builtins-eval", "builtins", "eval"),
        Evil(151, "pt-evil-py2-builtin-eval", "__builtin__", "eval"),
        Evil(152, "pt-evil-subprocess", "subprocess", "getoutput"),
        Evil(153, "pt-evil-runpy", "runpy", "run_path"),
        Evil(154, "pt-evil-torch-load", "torch.serialization", "load"),
        Evil(155, "pt-evil-getattr", "builtins", "getattr"),
        Evil(156, "pt-evil-numpy-reconstruct", "numpy.core.multiarray", "_reconstruct"),
        Evil(157, "pt-evil-pip", "pip", "main"),
        Evil(158, "pt-evil-load-from-bytes", "torch.storage", "_load_from_bytes"),
        Evil(159, "pt-evil-dotted-name", "torch", "FloatStorage.__init__.__globals__"),
        Evil(160, "pt-evil-main-class", "__main__", "Net"),
        Evil(161, "pt-evil-whitespace-module", "collections ", "OrderedDict"),
        Pickled(162, "pt-evil-in-tail", "PT-GLOBAL", () => TorchPickle.StateDict(
            ("a", TorchPickle.W()), ("b", TorchPickle.W()), ("c", pickle => pickle.Call("os", "system", "echo HOSTILE"))), exit: 5),
        Pickled(163, "pt-evil-backward-hooks", "PT-GLOBAL", () => TorchPickle.StateDict(("w", pickle => pickle
            .Global("torch._utils", "_rebuild_tensor_v2").Ops("(").Storage("FloatStorage", "0", 12).Number(0).Ints(3, 4).Ints(4, 1)
            .Raw(0x89).Call("os", "system", "echo HOSTILE").Ops("tR"))), exit: 5),
        Pickled(164, "pt-bad-unknown-storage", "PT-GLOBAL", () => TorchPickle.StateDict(("w", TorchPickle.W(type: "FooStorage"))), exit: 5),
        Opcode(165, "pt-evil-stack-global", pickle => pickle.Text("os").Text("system").Raw(0x93).Text("echo HOSTILE").Raw(0x85).Ops("R")),
        Opcode(0, "pt-evil-stack-global-of-values", pickle => pickle.Number(1).Number(2).Raw(0x93)),
        Opcode(166, "pt-evil-inst", pickle => pickle.Ops("(").Text("echo HOSTILE").Ops("ios\nsystem\n")),
        Pickled(0, "pt-evil-inst-protocol-0", "PT-OPCODE", () => [.. "(S'echo HOSTILE'\nios\nsystem\n."u8], exit: 5),
        Pickled(0, "pt-evil-global-protocol-0", "PT-GLOBAL", () => [.. "cos\nsystem\n(S'echo HOSTILE'\ntR."u8], exit: 5),
        Pickled(0, "pt-bad-no-pickle", "PT-PICKLE", () => [0xfe, 0xff, (byte)'.']),
        Opcode(167, "pt-evil-ext1", pickle => pickle.Raw(0x82, 1)),
        Opcode(168, "pt-evil-persid-text", pickle => pickle.Ops("Pstorage\n")),
        Opcode(169, "pt-bad-memo-huge-index", pickle => pickle.Raw([(byte)'N', (byte)'r', 255, 255, 255, 255, (byte)'0', (byte)'N'])),
        Opcode(170, "pt-bad-long4", pickle => pickle.Raw(0x8b, 0, 0, 0, 0x7f)),
        Opcode(0, "pt-bad-newobj", pickle => pickle.Global("collections", "OrderedDict").Ops(")").Raw(0x81)),
        Entry(171, "pt-evil-persid-module", pickle => pickle.Ops("(").Text("module").Global("torch", "FloatStorage").Text("0").Text("cpu").Number(12).Ops("tQ"), exit: 5),
        Entry(172, "pt-evil-build-dict", pickle => pickle.Global("collections", "OrderedDict").Ops("}b"), exit: 5),
        Entry(173, "pt-evil-storage-call", pickle => pickle.Global("torch", "FloatStorage").Ops(")R"), exit: 5),
        Pickled(174, "pt-bad-no-stop", "PT-PICKLE", () => TorchPickle.Basic()[..^1]),
        Entry(175, "pt-bad-stack-underflow", pickle => pickle.Ops("((R")),
        Pickled(176, "pt-bad-pop-mark", "PT-PICKLE", () => TorchPickle.Of(pickle => pickle.Ops("Nt"))),
        Entry(177, "pt-bad-memo-missing", pickle => pickle.Ops("h").Raw(77)),
        Pickled(178, "pt-bad-string-length", "PT-PICKLE", () => TorchPickle.Of(pickle => pickle.Ops("X").Raw(255, 255, 255, 255, (byte)'a'))),
        Entry(179, "pt-bad-string-utf8", pickle => pickle.Ops("X").Raw(2, 0, 0, 0, 0xff, 0xfe)),
        Entry(180, "pt-bad-deep", pickle => pickle.Ops(")").Ops(new string('\u0085', 200_000))),
        Entry(181, "pt-bad-memo-bomb", pickle =>
        {
            pickle.Ops(")").Memo(0);
            for (byte i = 0; i < 60; i++) pickle.Ops("h").Raw(i).Ops("h").Raw(i).Raw(0x86).Memo((byte)(i + 1));
        }),
        Entry(0, "pt-bad-memo-bomb-of-lists", pickle => Doubled(pickle, 60)),
        Pickled(182, "pt-bad-self-reference", "PT-PICKLE", () => TorchPickle.Of(pickle => pickle.Ops("}").Memo(0).Text("self").Ops("h").Raw(0).Ops("s"))),
        Pickled(183, "pt-bad-trailing", "PT-PICKLE", () => [.. TorchPickle.Basic(), .. "more"u8]),
        Entry(184, "pt-bad-setitem-on-tensor", pickle =>
        {
            TorchPickle.W()(pickle);
            pickle.Number(0).Number(1).Ops("s");
        }, exit: 5),
        Entry(0, "pt-bad-append-to-tensor", pickle =>
        {
            TorchPickle.W()(pickle);
            pickle.Number(0).Ops("a");
        }, exit: 5),
        Pickled(185, "pt-bad-key-int", "PT-PICKLE", () => TorchPickle.Of(pickle =>
        {
            pickle.EmptyOrderedDict().Number(7);
            TorchPickle.W()(pickle);
            pickle.Ops("s");
        })),
        Pickled(186, "pt-bad-dup-name", "PT-PICKLE", () => TorchPickle.StateDict(("w", TorchPickle.W()), ("w", TorchPickle.W()))),
        Entry(0, "pt-bad-odd-setitems", pickle => pickle.Ops("}(").Text("a").Ops("u")),
        Pickled(0, "pt-bad-two-values", "PT-PICKLE", () => TorchPickle.Of(pickle => pickle.EmptyOrderedDict().Ops("N"))),
        Pickled(0, "pt-bad-no-tensors", "PT-PICKLE", () => TorchPickle.StateDict(("epoch", pickle => pickle.Number(3)))),
        Pickled(0, "pt-bad-protocol-9", "PT-PICKLE", () => [0x80, 9, .. TorchPickle.Basic()[2..]]),
        Pickled(0, "pt-bad-frame", "PT-PICKLE", () => [0x80, 4, 0x95, 255, 255, 255, 255, 255, 255, 255, 255, .. TorchPickle.Basic()[2..]]),
        Pickled(0, "pt-bad-list-copies", "PT-PICKLE", () => TorchPickle.Of(pickle =>
        {
            // A list of 1,000 pairs, copied by every call of four bytes.
            pickle.Global("collections", "OrderedDict").Memo(0).Text("k").Memo(1).Ops("](");
            for (int i = 0; i < 1000; i++) pickle.Ops("h\u0001h\u0001\u0086");
            pickle.Ops("e").Memo(2);
            for (int i = 0; i < 20_000; i++) pickle.Ops("h\u0000h\u0002\u0085R");
        })),
        Bin(0, "pt-bad-plain-pickle", "PT-ZIP", () => TorchPickle.Of(pickle => pickle.Ops("}"))),
        Bin(0, "pt-evil-plain-pickle", "PT-GLOBAL", () => TorchPickle.Of(pickle => pickle.Call("posix", "system", "echo HOSTILE")), exit: 5),
    ];

    /// <summary>A list of two references to such a list, down to an empty one: 2^depth of them.</summary>
    private static void Doubled(TorchPickle pickle, byte depth)
    {
        pickle.Ops("]");
        if (depth > 0)
        {
            pickle.Ops("(");
            Doubled(pickle, (byte)(depth - 1));
            pickle.Ops("h").Raw((byte)(depth - 1)).Ops("e");
        }

        pickle.Memo(depth);
    }

    private static HostileCase Evil(int number, string name, string module, string global) => Pickled(
        number, name, "PT-GLOBAL", () => TorchPickle.StateDict(("w", TorchPickle.W()), ("x", pickle => pickle.Call(module, global, "echo HOSTILE"))), exit: 5);

    private static HostileCase Opcode(int number, string name, Action<TorchPickle> value) =>
        Pickled(number, name, "PT-OPCODE", () => TorchPickle.StateDict(("w", TorchPickle.W()), ("x", value)), exit: 5);

    private static HostileCase Entry(int number, string name, Action<TorchPickle> value, int exit = 4) =>
        Pickled(number, name, "PT-PICKLE", () => TorchPickle.StateDict(("w", TorchPickle.W()), ("x", value)), exit);
}
