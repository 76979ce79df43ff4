namespace Bnb.TestKit;

/// <content>Files that break a rule of the safetensors format.</content>
public static partial class HostileFiles
{
    private static IEnumerable<HostileCase> Prefixes() =>
    [
        File("st-bad-empty-file", "ST-SHORT", () => []),
        File("st-bad-7-bytes", "ST-SHORT", () => [16, 0, 0, 0, 0, 0, 0]),
        new("sp-proc", "ST-SHORT", 4, temp => Link(temp, "/proc/self/status")),
        File("st-bad-header-max", "ST-HDRMAX", () => Prefixed(ulong.MaxValue, Utf8(Basic))),
        File("st-bad-header-2-63", "ST-HDRMAX", () => Prefixed(1UL << 63, Utf8(Basic))),
        File("st-bad-header-2-32", "ST-HDRMAX", () => Prefixed((1UL << 32) + (ulong)Basic.Length, [.. Utf8(Basic), .. Data(16)])),
        File("st-bad-header-100000001", "ST-HDRMAX", () => Prefixed(100_000_001, Utf8(Basic))),
        File("st-bad-header-big-endian", "ST-HDRMAX", () => [0, 0, 0, 0, 0, 0, 0, (byte)Basic.Length, .. Utf8(Basic), .. Data(16)]),
        File("st-bad-header-past-eof", "ST-HDRLEN", () => Prefixed(99_999_999, Utf8(Basic))),
        File("st-bad-header-past-eof-by-1", "ST-HDRLEN", () => Prefixed((ulong)Basic.Length + 1, Utf8(Basic))),
        File("st-bad-truncated-header", "ST-HDRLEN", () => CheckpointBuilder.Raw(Basic, Data(16))[..30]),
    ];

    private static IEnumerable<HostileCase> Json() =>
    [
        File("st-bad-utf8", "ST-UTF8", () => CheckpointBuilder.Raw([.. Utf8("{\""), 0xff, .. Utf8(Basic[3..])], Data(16))),
        File("st-bad-utf8-overlong", "ST-UTF8", () => CheckpointBuilder.Raw([.. Utf8("{\""), 0xc0, 0x80, .. Utf8(Basic[3..])], Data(16))),
        File("st-bad-utf8-surrogate", "ST-UTF8", () => CheckpointBuilder.Raw([.. Utf8("{\""), 0xed, 0xa0, 0x80, .. Utf8(Basic[3..])], Data(16))),
        File("st-bad-utf8-in-padding", "ST-UTF8", () => CheckpointBuilder.Raw([.. Utf8(Basic), 0x20, 0xff], Data(16))),
        File("st-bad-header-zero", "ST-JSON", () => new byte[8]),
        File("st-bad-all-zero", "ST-JSON", () => new byte[4096]),
        File("st-bad-header-too-short", "ST-JSON", () => Prefixed((ulong)Basic.Length - 5, [.. Utf8(Basic), .. Data(16)])),
        Header("st-bad-lone-surrogate", "ST-JSON", """{"\ud800":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"""),
        File("st-bad-bom", "ST-JSON", () => CheckpointBuilder.Raw([0xef, 0xbb, 0xbf, .. Utf8(Basic)], Data(16))),
        File("st-bad-utf16", "ST-JSON", () => CheckpointBuilder.Raw(System.Text.Encoding.Unicode.GetBytes(Basic), Data(16))),
        Header("st-bad-nul-padding", "ST-JSON", Basic + "\0\0\0"),
        Header("st-bad-json-truncated", "ST-JSON", Basic[..^1]),
        Header("st-bad-json-garbage", "ST-JSON", Basic + "x"),
        Header("st-bad-json-two", "ST-JSON", Basic + Basic),
        Header("st-bad-json-comma", "ST-JSON", Basic[..^1] + ",}"),
        Header("st-bad-json-comment", "ST-JSON", "/* */" + Basic),
        Header("st-bad-json-control", "ST-JSON", Basic.Replace("\"a\"", "\"a\n\"", StringComparison.Ordinal)),
        Header("st-bad-json-array", "ST-JSON", "[]", 0),
        Header("st-bad-json-string", "ST-JSON", "\"a\"", 0),
        Header("st-bad-json-null", "ST-JSON", "null", 0),
        File("st-bad-json-deep", "ST-JSON", () => CheckpointBuilder.Raw("""{"a":{"later":""" + new string('[', 100_000), [])),
        Header("st-bad-dup-same-range", "ST-DUP", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"I32","shape":[4],"data_offsets":[0,16]}}"""),
        Header("st-bad-dup-escaped", "ST-DUP", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"\u0061":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"""),
        Header("st-bad-dup-other-range", "ST-DUP", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[16,32]}}""", 32),
        Entry("st-bad-dup-dtype", "ST-DUP", """{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}"""),
        Header("st-bad-dup-metadata", "ST-DUP", """{"__metadata__":{},"__metadata__":{}}""", 0),
        Header("st-bad-dup-metadata-key", "ST-DUP", """{"__metadata__":{"a":"1","a":"2"}}""", 0),
    ];

    private static IEnumerable<HostileCase> Entries() =>
    [
        Entry("st-bad-no-dtype", "ST-SCHEMA", """{"shape":[4],"data_offsets":[0,16]}"""),
        Entry("st-bad-no-shape", "ST-SCHEMA", """{"dtype":"F32","data_offsets":[0,16]}"""),
        Entry("st-bad-no-offsets", "ST-SCHEMA", """{"dtype":"F32","shape":[4]}"""),
        Entry("st-bad-entry-null", "ST-SCHEMA", "null"),
        Entry("st-bad-entry-array", "ST-SCHEMA", """["F32",[4],[0,16]]"""),
        Entry("st-bad-dtype-map", "ST-DTYPE", """{"dtype":{"F32":null},"shape":[4],"data_offsets":[0,16]}"""),
        Entry("st-bad-dtype-unknown", "ST-DTYPE", """{"dtype":"F31","shape":[4],"data_offsets":[0,16]}"""),
        Entry("st-bad-dtype-lowercase", "ST-DTYPE", """{"dtype":"f32","shape":[4],"data_offsets":[0,16]}"""),
        Entry("st-bad-dtype-torch", "ST-DTYPE", """{"dtype":"torch.float32","shape":[4],"data_offsets":[0,16]}"""),
        Entry("st-bad-dtype-number", "ST-DTYPE", """{"dtype":32,"shape":[4],"data_offsets":[0,16]}"""),
        Shape("st-bad-shape-negative", "[-4]"),
        Shape("st-bad-shape-float", "[4.0]"),
        Shape("st-bad-shape-exponent", "[4e0]"),
        Shape("st-bad-shape-string", "[\"4\"]"),
        Shape("st-bad-shape-null", "null"),
        Shape("st-bad-shape-number", "4"),
        Shape("st-bad-shape-2-64", "[18446744073709551616]"),
        Shape("st-bad-zero-times-huge-first", "[0,9223372036854775808,9223372036854775808]"),
        Header("st-bad-metadata-int", "ST-META", """{"__metadata__":{"a":1}}""", 0),
        Header("st-bad-metadata-object", "ST-META", """{"__metadata__":{"a":{}}}""", 0),
        Header("st-bad-metadata-null-value", "ST-META", """{"__metadata__":{"a":null}}""", 0),
        Header("st-bad-metadata-string", "ST-META", """{"__metadata__":"pt"}""", 0),
        Header("st-bad-metadata-tensor", "ST-META", """{"__metadata__":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"""),
    ];

    private static IEnumerable<HostileCase> Offsets() =>
    [
        Range("st-bad-offsets-one", "ST-OFFSET", "[16]"),
        Range("st-bad-offsets-three", "ST-OFFSET", "[0,16,16]"),
        Range("st-bad-offsets-object", "ST-OFFSET", """{"begin":0,"end":16}"""),
        Range("st-bad-offsets-negative", "ST-OFFSET", "[-16,0]"),
        Range("st-bad-offsets-minus-zero", "ST-OFFSET", "[-0,16]"),
        Range("st-bad-offsets-float", "ST-OFFSET", "[0.0,16]"),
        Range("st-bad-offsets-reversed", "ST-OFFSET", "[16,0]"),
        Range("st-bad-offsets-2-63", "ST-OFFSET", "[0,9223372036854775808]"),
        Range("st-bad-offsets-wrap", "ST-OFFSET", "[18446744073709551600,18446744073709551615]"),
        Header("st-bad-zero-inside", "ST-OFFSET", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"z":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}"""),
        Header("st-bad-zero-past-end", "ST-OFFSET", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"z":{"dtype":"F32","shape":[0],"data_offsets":[99,99]}}"""),
        Header("st-bad-first-not-zero", "ST-GAP", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}""", 24),
        Header("st-bad-hole", "ST-GAP", """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}""", 20),
        Header("st-bad-overlap", "ST-OVERLAP", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}""", 24),
        Header("st-bad-tied", "ST-OVERLAP", """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"""),
        File("st-bad-overlap-bomb", "ST-OVERLAP", OverlapBomb),
        Range("st-bad-offsets-past-end", "ST-SIZE", "[0,4096]"),
        Entry("st-bad-size-small", "ST-SIZE", """{"dtype":"F32","shape":[4],"data_offsets":[0,12]}""", 12),
        Entry("st-bad-size-large", "ST-SIZE", """{"dtype":"F32","shape":[4],"data_offsets":[0,20]}""", 20),
        Entry("st-bad-size-dtype", "ST-SIZE", """{"dtype":"F64","shape":[4],"data_offsets":[0,16]}"""),
        Entry("st-bad-overflow-int32", "ST-SIZE", """{"dtype":"U8","shape":[65537,65536],"data_offsets":[0,65536]}""", 65536),
        Entry("st-bad-overflow-shape", "ST-OVERFLOW", """{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,16]}"""),
        Entry("st-bad-overflow-bytes", "ST-OVERFLOW", """{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,16]}"""),
        Entry("st-bad-overflow-wraps-to-4", "ST-OVERFLOW", """{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}""", 4),
        Entry("st-bad-zero-times-huge-last", "ST-OVERFLOW", """{"dtype":"F32","shape":[4611686018427387904,4611686018427387904,0],"data_offsets":[0,0]}""", 0),
        Entry("st-bad-subbyte-f4", "ST-SUBBYTE", """{"dtype":"F4","shape":[3],"data_offsets":[0,2]}""", 2),
        Entry("st-bad-subbyte-f6", "ST-SUBBYTE", """{"dtype":"F6_E2M3","shape":[3],"data_offsets":[0,3]}""", 3),
        Header("st-bad-truncated-1", "ST-TRUNC", Basic, 15),
        Header("st-bad-truncated-half", "ST-TRUNC", Basic, 8),
        Header("st-bad-trailing-byte", "ST-TRAIL", Basic, 17),
        File("st-bad-trailing-zip", "ST-TRAIL", () => [.. CheckpointBuilder.Raw(Basic, Data(16)), .. "PK\u0005\u0006"u8, .. new byte[18]]),
        Header("st-bad-data-after-empty", "ST-TRAIL", "{}", 1),
    ];

    private static HostileCase Shape(string name, string shape) =>
        Entry(name, "ST-SHAPE", $$"""{"dtype":"F32","shape":{{shape}},"data_offsets":[0,16]}""");

    private static HostileCase Range(string name, string code, string range) =>
        Entry(name, code, $$"""{"dtype":"F32","shape":[4],"data_offsets":{{range}}}""");

    private static byte[] OverlapBomb()
    {
        IEnumerable<string> entries = Enumerable.Range(0, 500).Select(i => $$"""
            "t{{i}}":{"dtype":"U8","shape":[160000],"data_offsets":[0,160000]}
            """);
        return CheckpointBuilder.Raw("{" + string.Join(",", entries) + "}", Data(160_000));
    }
}
