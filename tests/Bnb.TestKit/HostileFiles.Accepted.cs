namespace Bnb.TestKit;

/// <content>Odd inputs that are legal.</content>
public static partial class HostileFiles
{
    private static readonly (string Name, int Bits)[] AllDTypes =
    [
        ("BOOL", 8), ("U8", 8), ("I8", 8), ("F8_E5M2", 8), ("F8_E4M3", 8), ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16),
        ("I32", 32), ("U32", 32), ("F32", 32), ("F64", 64), ("I64", 64), ("U64", 64),
    ];

    private static IEnumerable<AcceptedCase> AcceptedFiles() =>
    [
        Fine("st-ok-basic", Basic),
        Fine("st-ok-empty", "{}      ", 0),
        Fine("st-ok-empty-nopad", "{}", 0),
        Fine("st-ok-metadata-only", """{"__metadata__":{"format":"pt"}}""", 0),
        Fine("st-ok-metadata-empty", """{"__metadata__":{}}""", 0),
        Fine("st-ok-metadata-null", """{"__metadata__":null}""", 0),
        Fine("st-ok-metadata-unicode", """{"__metadata__":{"naïve":"日本 \ud83d\ude00"}}""", 0),
        Fine("st-ok-scalar", """{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", 4),
        Fine("st-ok-zero-element", """{"a":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}}""", 0),
        Fine("st-ok-zero-element-middle", """{"z":{"dtype":"F32","shape":[0],"data_offsets":[8,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F64","shape":[3,0],"data_offsets":[16,16]}}"""),
        Fine("st-ok-header-padded-4096", Basic.PadRight(4088)),
        Fine("st-ok-header-trailing-ws", Basic + " \t\r\n"),
        Fine("st-ok-header-leading-ws", " \t\r\n" + Basic),
        Fine("st-ok-header-ws-inside", Basic.Replace(",", " ,\n\t", StringComparison.Ordinal)),
        Fine("st-ok-unaligned-header", Basic + (Basic.Length % 2 == 0 ? " " : "")),
        Fine("st-ok-misaligned-tensor", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}}""", 9),
        Fine("st-ok-header-order", """{"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"""),
        new("st-ok-all-dtypes-045", temp => ModelOf(temp, CheckpointBuilder.Safetensors(AllDTypes.Select(d => TestTensor.Numbered("t_" + d.Name, d.Name, 2, 3))))),
        .. ((string[])["F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64", "F4", "F6_E2M3", "F6_E3M2"]).Select(dtype => new AcceptedCase(
            "st-ok-dtype-" + Lower(dtype), temp =>
                ModelOf(temp, CheckpointBuilder.Safetensors(TestTensor.Numbered("t", dtype, 4, 2))))),
        new("st-ok-names", temp => ModelOf(temp, CheckpointBuilder.Safetensors(((string[])["", "😀", "a/b/../c", "__metadata", "__metadata__ ", " "])
            .Select(name => TestTensor.Numbered(name, "U8", 3))))),
        Fine("st-ok-name-escapes", """{"\u0061\ud83d\ude00\n\/":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"""),
        Fine("st-ok-name-control", """{"\u001b[31m\r\n\u0000":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"""),
        Fine("st-ok-name-long", Basic.Replace("\"a\"", $"\"{new string('n', 70_000)}\"", StringComparison.Ordinal)),
        Fine("st-ok-rank-64", $$$"""{"a":{"dtype":"U8","shape":[{{{string.Join(",", Enumerable.Repeat("1", 64))}}}],"data_offsets":[0,1]}}""", 1),
        Fine("st-ok-unknown-field", """{"a":{"later":{"x":[1,{"y":null}]},"dtype":"F32","shape":[4],"data_offsets":[0,16],"later":0}}"""),
        Fine("st-ok-escaped-keys", """{"a":{"\u0064type":"\u00463\u0032","sh\u0061pe":[4],"data\u005foffsets":[0,16]}}"""),
        new("st-ok-3000-tensors", temp => ModelOf(temp, CheckpointBuilder.Safetensors(Enumerable.Range(0, 3000).Select(i => TestTensor.Numbered($"t.{i}", "U8", 3))))),
        new("st-ok-nonfinite-payload", temp => ModelOf(temp, CheckpointBuilder.Safetensors(
            TestTensor.Numbered("a", "F32", 4) with { Data = [0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff, 1, 0, 0, 0] }))),
        new("st-ok-zip-in-data", temp => ModelOf(temp, CheckpointBuilder.Safetensors(
            TestTensor.Numbered("a", "U8", 22) with { Data = [.. "PK\u0005\u0006"u8, .. new byte[18]] }))),
        new("sp-ok-link", temp => Link(temp, Path.Combine(Ok(temp), "model.safetensors"))),
    ];

    private static IEnumerable<AcceptedCase> AcceptedFolders() =>
    [
        new("dir-ok-sharded", Two),
        new("dir-ok-single", Ok),
        new("dir-ok-extra-consolidated", temp => With(Two(temp), "consolidated.safetensors", "not looked at")),
        new("dir-ok-index-and-single", temp => With(Ok(temp), "model.safetensors.index.json", "not looked at")),
        new("dir-ok-no-total-size", temp => Rewrite(Two(temp), "\"total_size\": 32", "\"other\": 1")),
        new("dir-ok-no-metadata", temp => Rewrite(Two(temp), "\"metadata\": {\n    \"total_size\": 32\n  },", "")),
        new("dir-ok-total-size-wrong", temp => Rewrite(Two(temp), "32", "31")),
        new("dir-ok-total-size-float", temp => Rewrite(Two(temp), "32", "32.0")),
        new("dir-ok-extra-tensor", temp => With(
            CheckpointBuilder.Sharded(temp["model"], [[Tensor("a")], [Tensor("b"), Tensor("c")]]), "model.safetensors.index.json", MapText([("a", 1), ("b", 2)]))),
        new("dir-ok-subfolder-shards", temp =>
        {
            string folder = Two(temp);
            Directory.CreateDirectory(Path.Combine(folder, "parts"));
            foreach (string shard in Directory.GetFiles(folder, "*.safetensors"))
                System.IO.File.Move(shard, Path.Combine(folder, "parts", Path.GetFileName(shard)));
            return Rewrite(folder, "\"model-", "\"parts/model-");
        }),
        new("dir-ok-no-index", temp =>
        {
            string folder = Two(temp);
            System.IO.File.Delete(Path.Combine(folder, "model.safetensors.index.json"));
            return folder;
        }),
        new("dir-ok-one-other-name", temp => ModelOf(temp, CheckpointBuilder.Raw(Basic, Data(16)), "adapter.safetensors")),
        new("dir-ok-diffusers-component", temp => ModelOf(temp, CheckpointBuilder.Raw(Basic, Data(16)), "diffusion_pytorch_model.safetensors")),
        new("dir-ok-config-infinity", temp => With(Ok(temp), "config.json", "{\"time_step_limit\": [0.0, Infinity], \"x\": NaN, \"y\": -Infinity}\n")),
        new("dir-ok-config-numbers", temp => With(Ok(temp), "config.json", "{\n  \"big\": 123456789012345678901234567890,\n  \"eps\": 1e-05,\n  \"one\": 1.00\n}\n")),
        new("dir-ok-config-unicode", temp => With(Ok(temp), "config.json", "{\"name\": \"naïve <&'+> 日本 \\u00e9\"}")),
        new("dir-ok-config-lone-surrogates", temp => With(Ok(temp), "config.json", """
            {"model_type": "llama\ud800", "architectures": ["\udc00"], "text_config": {"model_type": "\udfff\ud83d\ude00"}, "\ud801": "\uD801\u0041"}
            """)),
        new("dir-ok-config-quantized-null", temp => With(Ok(temp), "config.json", "{\n  \"quantization_config\": null,\n  \"model_type\": \"llama\"\n}\n")),
        new("dir-ok-aux-files", temp => With(With(With(Ok(temp), "tokenizer.json", "{}"), "1_Pooling/config.json", "{}"), "README.md", "# x\n")),
        new("dir-ok-safetensors-and-bin", temp => With(Ok(temp), "pytorch_model.bin", "not looked at")),
        new("dir-ok-hf-cache", HuggingFaceCache),
        new("dir-ok-weights-symlink", temp =>
        {
            string folder = Ok(temp);
            string weights = Path.Combine(folder, "model.safetensors");
            System.IO.File.Move(weights, temp["elsewhere"]);
            System.IO.File.CreateSymbolicLink(weights, temp["elsewhere"]);
            return folder;
        }),
    ];

    private static AcceptedCase Fine(string name, string header, int dataBytes = 16) =>
        new(name, temp => ModelOf(temp, CheckpointBuilder.Raw(header, Data(dataBytes))));

    private static string Two(TempFolder temp) => CheckpointBuilder.Sharded(temp["model"], [[Tensor("a")], [Tensor("b")]]);

    private static string Rewrite(string folder, string old, string text)
    {
        string path = Path.Combine(folder, "model.safetensors.index.json");
        return With(folder, "model.safetensors.index.json", System.IO.File.ReadAllText(path).Replace(old, text, StringComparison.Ordinal));
    }

    private static string HuggingFaceCache(TempFolder temp)
    {
        string folder = CheckpointBuilder.SingleFile(temp["hub", "models--org--name", "snapshots", "0123abc"], [Tensor("a")]);
        With(folder, "tokenizer.json", "{}");
        foreach (string path in Directory.GetFiles(folder))
        {
            string blob = temp["hub", "models--org--name", "blobs", Path.GetFileName(path) + "-blob"];
            Directory.CreateDirectory(Path.GetDirectoryName(blob)!);
            System.IO.File.Move(path, blob);
            System.IO.File.CreateSymbolicLink(path, Path.Combine("..", "..", "blobs", Path.GetFileName(blob)));
        }

        return folder;
    }

    private static string Lower(string text) => string.Concat(text.Select(char.ToLowerInvariant));
}
