using System.Text;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Fuzzing;

/// <summary>What the changes begin with: small files that between them use everything the readers know.</summary>
internal static class FuzzSeeds
{
    private const string Hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    public static IReadOnlyList<byte[]> Recipes { get; } = Texts(
        """{"$schema":"x","type":"nf4","blockSize":64,"doubleQuant":true,"exclude":["lm_head","*.q_proj"],"overrides":["*.down_proj=keep","re:a=nf4/32"],"_expected":{"bits":4.5}}""",
        "\uFEFF// made by plan\n{ \"include\": [\"a\",], \"overrides\": \"x=/64\", /* two */ \"threshold\": 6.0 }");

    public static IReadOnlyList<byte[]> Policies { get; } = Texts(
        """{"default":{"max_rel_error":0.12,"min_snr":16},"rules":[{"match":"*.down_proj.weight","min_snr":16.5,"max_code_diffs":0},{"match":"lm_head","max_kernel_error":1e-3}]}""",
        """{"rules":[]}""");

    public static IReadOnlyList<byte[]> Baselines { get; } = Texts(
        """{"schema_version":1,"layers":[{"name":"a.weight","faithfulness":{"codes_differing":0,"absmax_differing":1},"weight":{"relative_rmse":0.09},"gemm":{"compute_dtype":"bfloat16","total_relative_error":0.09,"kernel_relative_error":"NaN"}}]}""",
        """{"schema_version":1,"layers":[{"name":"b","faithfulness":{"codes_differing":3,"absmax_differing":0},"weight":{"relative_rmse":"Infinity"},"gemm":null,"more":1}],"passed":true}""");

    public static IReadOnlyList<byte[]> Manifests { get; } = Texts(
        $$"""{"manifest":1,"tool":"dotnet-bnb 0.1.0","command":"quantize","plan":"{{Hash}}","options":{"type":"nf4","scale":"absmax","patterns":["a"]},"source":[{"name":"model.safetensors","bytes":9,"header_sha256":"{{Hash}}","sha256":"{{Hash}}"}],"files":[{"name":"config.json","bytes":2,"sha256":"{{Hash}}"},{"name":"sub/x.safetensors","bytes":0,"sha256":"{{Hash}}"}]}""",
        $$"""{"manifest":1,"tool":"dotnet-bnb 0.1.0","command":"dequantize","plan":"{{Hash}}","no_checksums":true,"options":{},"source":[],"files":[{"name":"config.json","bytes":2,"sha256":"{{Hash}}"},{"name":"model.safetensors","bytes":9}]}""");

    public static IReadOnlyList<byte[]> Plans { get; } = Texts(
        $$"""{"format":1,"tool":"dotnet-bnb 0.1.0","command":"quantize","options":{"type":"nf4","block_size":64,"patterns":[]},"hash_source":false,"source":[{"name":"model.safetensors","bytes":9,"header_sha256":"{{Hash}}"}],"shards":["model-00001-of-00002.safetensors","model-00002-of-00002.safetensors"],"index":"model.safetensors.index.json","layout_sha256":"{{Hash}}","files":[{"name":"config.json","bytes":2,"sha256":"{{Hash}}"}]}""",
        $$"""{"format":1,"tool":"dotnet-bnb 0.2.0","command":"dequantize","options":{},"hash_source":true,"source":[],"shards":["model.safetensors"],"index":null,"layout_sha256":"{{Hash}}","files":[]}""");

    /// <summary>Lines without the checksum that closes each.</summary>
    public static IReadOnlyList<byte[]> Journals { get; } = Texts(
        $$"""
        {"type":"begin","journal":2,"tool":"dotnet-bnb 0.1.0","host":"h","pid":7,"plan":"{{Hash}}","source_state":"{{Hash}}"}
        {"type":"shard","name":"model-00001-of-00002.safetensors","bytes":100,"sha256":"{{Hash}}"}
        {"type":"unhashed","name":"model-00002-of-00002.safetensors","bytes":100}
        {"type":"source","name":"model.safetensors","bytes":100,"sha256":"{{Hash}}"}
        {"type":"replace","device":7,"inode":18446744073709551615}
        {"type":"move"}
        """);

    public static IReadOnlyList<byte[]> Configs { get; } =
    [
        .. Texts(
            """{"model_type":"a","architectures":["X","Y"],"vision_config":{"model_type":"v"},"text_config":{"model_type":"t","architectures":["Z"]},"tie_word_embeddings":false}""",
            """{"_class_name":"FluxTransformer2DModel","decoder":{"model_type":"d","thinker":{"text":{"model_type":"q","deep":{"model_type":"r"}}}}}"""),
        File.ReadAllBytes(Golden.File("tiny-llama", "source", "config.json")),
    ];

    private static byte[][] Texts(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];
}
