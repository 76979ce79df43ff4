using System.Text;

namespace Bnb.TestKit;

/// <content>Files that are not what they claim to be, and folders that do not fit together.</content>
public static partial class HostileFiles
{
    private const string Pointer = "version https://git-lfs.github.com/spec/v1\n"
        + "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 4976698672\n";

    private static IEnumerable<HostileCase> NotTheFile() =>
    [
        File("st-bad-lfs-pointer", "FILE-LFS", () => Utf8(Pointer), exit: 3),
        File("st-bad-lfs-pointer-crlf", "FILE-LFS", () => Utf8(Pointer.Replace("\n", "\r\n", StringComparison.Ordinal)), exit: 3),
        File("st-bad-lfs-hawser", "FILE-LFS", () => Utf8(Pointer.Replace("git-lfs.github", "hawser.github", StringComparison.Ordinal)), exit: 3),
        Shards("dir-bad-shard-lfs", "FILE-LFS", 3, folder =>
        {
            System.IO.File.WriteAllText(Path.Combine(folder, CheckpointBuilder.ShardName(1, 2)), Pointer);
            System.IO.File.WriteAllText(Path.Combine(folder, CheckpointBuilder.ShardName(2, 2)), Pointer);
        }),
        new("dir-bad-aux-lfs", "FILE-LFS", 3, temp => With(Ok(temp), "tokenizer.json", Pointer)),
        File("st-bad-html", "FILE-MAGIC", () => Utf8("<!DOCTYPE html><html><head><title>503</title></head></html>")),
        File("st-bad-404-text", "FILE-MAGIC", () => Utf8("Entry not found")),
        File("st-bad-json-error", "FILE-MAGIC", () => Utf8("{\"error\":\"Repository not found\"}")),
        File("st-bad-gzip", "FILE-MAGIC", () => [0x1f, 0x8b, 8, 0, 1, 2, 3, 4, .. Data(40)]),
        File("st-bad-gguf", "FILE-MAGIC", () => [.. "GGUF"u8, 3, 0, 0, 0, .. Data(40)]),
        File("st-bad-pickle", "FILE-MAGIC", () => [0x80, 2, (byte)'}', (byte)'q', 0, (byte)'X', 1, 0, .. Data(40)]),
        File("st-bad-pickle-6-bytes", "FILE-MAGIC", () => [0x80, 2, (byte)'}', (byte)'q', 0, (byte)'.']),
        File("st-bad-zip", "FILE-MAGIC", () => [.. "PK\u0003\u0004"u8, 0, 0, 8, 8, .. Data(40)]),
        Shards("dir-bad-shard-loop", "FILE-KIND", 3, folder =>
        {
            string shard = Path.Combine(folder, CheckpointBuilder.ShardName(2, 2));
            System.IO.File.Delete(shard);
            System.IO.File.CreateSymbolicLink(shard, shard);
        }),
        new("sp-directory", "FILE-KIND", 3, temp => Directory.CreateDirectory(temp["model.safetensors"]).FullName),
        new("sp-fifo", "FILE-KIND", 3, temp => Pipe(temp["pipe.safetensors"])),
        new("dir-bad-side-pipe", "FILE-KIND", 3, temp =>
        {
            string folder = Ok(temp);
            Pipe(Path.Combine(folder, "tokenizer.json"));
            return folder;
        }),
        new("dir-bad-config-pipe", "FILE-KIND", 3, temp =>
        {
            string folder = CheckpointBuilder.SingleFile(temp["model"], [Tensor("a")], config: null);
            Pipe(Path.Combine(folder, "config.json"));
            return folder;
        }),
        new("sp-loop", "FILE-KIND", 3, temp => Link(temp, temp["link.safetensors"])),
        new("sp-dev-zero", "FILE-KIND", 3, temp => Link(temp, "/dev/zero")),
        Shards("dir-bad-shard-dangling", "FILE-MISSING", 3, folder =>
        {
            string shard = Path.Combine(folder, CheckpointBuilder.ShardName(2, 2));
            System.IO.File.Delete(shard);
            System.IO.File.CreateSymbolicLink(shard, "../../blobs/4d7a2146");
        }),
        Shards("dir-bad-shard-missing", "FILE-MISSING", 3, folder => System.IO.File.Delete(Path.Combine(folder, CheckpointBuilder.ShardName(2, 2)))),
        Shards("dir-bad-shard-incomplete", "FILE-MISSING", 3, folder =>
        {
            string shard = Path.Combine(folder, CheckpointBuilder.ShardName(2, 2));
            System.IO.File.Move(shard, shard + ".incomplete");
        }),
        new("dir-bad-gap-no-index", "FILE-MISSING", 3, temp =>
        {
            string folder = CheckpointBuilder.Sharded(temp["model"], [[Tensor("a")], [Tensor("b")], [Tensor("c")]]);
            System.IO.File.Delete(Path.Combine(folder, "model.safetensors.index.json"));
            System.IO.File.Delete(Path.Combine(folder, CheckpointBuilder.ShardName(2, 3)));
            return folder;
        }),
        new("dir-bad-config-missing", "FILE-MISSING", 3, temp => CheckpointBuilder.SingleFile(temp["model"], [Tensor("a")], config: null)),
        new("dir-bad-no-weights", "FILE-MISSING", 3, temp => With(Directory.CreateDirectory(temp["model"]).FullName, "config.json", "{}")),
        new("dir-bad-gguf-only", "FILE-MISSING", 3, temp => With(Directory.CreateDirectory(temp["model"]).FullName, "m.gguf", "GGUF")),
        new("sp-missing", "FILE-MISSING", 3, temp => temp["nothing.safetensors"]),
        new("sp-dangling", "FILE-MISSING", 3, temp => Link(temp, temp["nothing"])),
        new("dir-bad-pickle-only", "PT-OPCODE", 5, temp => ModelOf(temp, [0x80, 2, .. Data(2000)], "pytorch_model.bin")),
        new("sp-no-read", "FILE-DENIED", 3, temp =>
        {
            string path = temp.Write("model.safetensors", CheckpointBuilder.Raw(Basic, Data(16)));
            if (!OperatingSystem.IsWindows()) System.IO.File.SetUnixFileMode(path, UnixFileMode.None);
            return path;
        }) { SkipReason = geteuid() == 0 ? "the superuser may read everything" : null },
    ];

    private static IEnumerable<HostileCase> Folders() =>
    [
        Index("dir-bad-index-empty", "IDX-JSON", ""),
        Index("dir-bad-index-truncated", "IDX-JSON", "{\"weight_map\": {\"a\": \"model-00001-of-"),
        new("dir-bad-index-utf8", "IDX-JSON", 4, temp => IndexOf(temp, [.. Utf8("{\"weight_map\":{\""), 0xff, .. Utf8("\":\"x.safetensors\"}}")])),
        Index("dir-bad-index-array", "IDX-SCHEMA", "[]"),
        Index("dir-bad-index-no-map", "IDX-SCHEMA", "{\"metadata\":{}}"),
        Index("dir-bad-index-empty-map", "IDX-SCHEMA", "{\"weight_map\":{}}"),
        Index("dir-bad-index-value-type", "IDX-SCHEMA", "{\"weight_map\":{\"a\":[\"model-00001-of-00002.safetensors\"]}}"),
        ShardPath("dir-bad-path-dotdot", 5, "../x.safetensors"),
        ShardPath("dir-bad-path-dotdot-inner", 5, "sub/../../x.safetensors"),
        ShardPath("dir-bad-path-absolute", 5, "/etc/x.safetensors"),
        ShardPath("dir-bad-path-backslash", 5, "..\\\\x.safetensors"),
        ShardPath("dir-bad-path-drive", 5, "C:x.safetensors"),
        ShardPath("dir-bad-path-unc", 5, "\\\\\\\\host\\\\share\\\\x.safetensors"),
        ShardPath("dir-bad-path-nul", 5, "x\\u0000.safetensors"),
        ShardPath("dir-bad-path-empty", 4, ""),
        ShardPath("dir-bad-path-dot", 4, "."),
        ShardPath("dir-bad-path-long", 4, new string('x', 300) + ".safetensors"),
        ShardPath("dir-bad-path-extension", 5, "pytorch_model.bin"),
        IndexMap("dir-bad-tensor-not-in-shard", "IDX-TENSOR", [("a", 1), ("b", 2), ("c", 2)]),
        IndexMap("dir-bad-tensor-wrong-shard", "IDX-TENSOR", [("a", 2), ("b", 2)], useBoth: true),
        new("dir-bad-tensor-two-shards", "IDX-TENSOR", 4, temp => CheckpointBuilder.Sharded(temp["model"], [[Tensor("a")], [Tensor("b"), Tensor("a") with { Data = Data(16) }]])
            is { } folder ? With(folder, "model.safetensors.index.json", MapText([("b", 2)])) : ""),
        IndexMap("dir-bad-index-dup", "IDX-DUP", [("a", 1), ("b", 2), ("a", 2)]),
        Config("dir-bad-config-json", "CFG-JSON", 4, "{\"model_type\": \"ll"),
        Config("dir-bad-config-dup", "CFG-JSON", 4, "{\"model_type\": \"llama\", \"model_type\": \"llama\"}"),
        Config("dir-bad-config-deep", "CFG-JSON", 4, "{\"a\": " + new string('[', 50_000) + new string(']', 50_000) + "}"),
        Config("dir-bad-config-array", "CFG-SCHEMA", 4, "[]"),
        Config("dir-bad-config-quantized-bnb", "CFG-QUANTIZED", 6, "{\"quantization_config\": {\"load_in_4bit\": true, \"quant_method\": \"bitsandbytes\"}}"),
        Config("dir-bad-config-quantized-gptq", "CFG-QUANTIZED", 6, "{\"quantization_config\": {\"bits\": 4, \"quant_method\": \"gptq\"}}"),
        new("dir-bad-aux-symlink-escape", "AUX-SYMLINK", 5, temp =>
        {
            string folder = Ok(temp);
            System.IO.File.CreateSymbolicLink(Path.Combine(folder, "tokenizer.json"), temp.Write("secret", Utf8("secret")));
            return folder;
        }),
        Shards("dir-bad-shard-truncated", "ST-TRUNC", 4, folder =>
        {
            string shard = Path.Combine(folder, CheckpointBuilder.ShardName(2, 2));
            System.IO.File.WriteAllBytes(shard, System.IO.File.ReadAllBytes(shard)[..^7]);
        }),
    ];

    private static TestTensor Tensor(string name) => TestTensor.Floats(name, "F32", 2, 2);

    private static string Ok(TempFolder temp) => CheckpointBuilder.SingleFile(temp["model"], [Tensor("a")]);

    private static string With(string folder, string name, string text)
    {
        string path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, text, new UTF8Encoding(false));
        return folder;
    }

    private static string Link(TempFolder temp, string target) =>
        System.IO.File.CreateSymbolicLink(temp["link.safetensors"], target).FullName;

    private static HostileCase Shards(string name, string code, int exit, Action<string> damage) => new(name, code, exit, temp =>
    {
        string folder = CheckpointBuilder.Sharded(temp["model"], [[Tensor("a")], [Tensor("b")]]);
        damage(folder);
        return folder;
    });

    private static HostileCase Index(string name, string code, string text, int exit = 4) =>
        new(name, code, exit, temp => IndexOf(temp, Utf8(text)));

    private static string IndexOf(TempFolder temp, byte[] index)
    {
        string folder = CheckpointBuilder.Sharded(temp["model"], [[Tensor("a")], [Tensor("b")]]);
        System.IO.File.WriteAllBytes(Path.Combine(folder, "model.safetensors.index.json"), index);
        return folder;
    }

    private static HostileCase ShardPath(string name, int exit, string escapedPath) =>
        Index(name, "IDX-PATH", $$$"""{"weight_map":{"a":"{{{escapedPath}}}"}}""", exit);

    private static HostileCase IndexMap(string name, string code, (string, int)[] map, bool useBoth = false) =>
        Index(name, code, MapText(useBoth ? [.. map, ("b2", 1)] : map));

    private static string MapText((string Tensor, int Shard)[] map) =>
        CheckpointBuilder.Index(map.Select(pair => (pair.Tensor, CheckpointBuilder.ShardName(pair.Shard, 2))), 32);

    private static HostileCase Config(string name, string code, int exit, string config) =>
        new(name, code, exit, temp => With(Ok(temp), "config.json", config));
}
