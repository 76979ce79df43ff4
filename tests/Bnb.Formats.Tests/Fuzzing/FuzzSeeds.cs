using System.Buffers.Binary;
using System.Text;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Fuzzing;

/// <summary>What the changes begin with: small inputs that between them use everything the readers know.</summary>
internal static class FuzzSeeds
{
    /// <summary>Bytes of data that every header below describes.</summary>
    public const int HeaderData = 64;

    public static IReadOnlyList<byte[]> Headers { get; } = Texts(
        """{"a":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]}}""",
        """{"__metadata__":{"format":"pt"},"a.weight":{"dtype":"BF16","shape":[2,8],"data_offsets":[0,32]},"b":{"dtype":"U8","shape":[32],"data_offsets":[32,64]}}   """,
        """{"s":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"z":{"dtype":"F16","shape":[0,9],"data_offsets":[8,8]},"f":{"dtype":"F8_E4M3","shape":[56],"data_offsets":[8,64]}}""",
        """ {"q":{"dtype":"F4","shape":[2,64],"data_offsets":[0,64]},"\u0061":{"shape":[1,0],"dtype":"BOOL","data_offsets":[64,64]},"__metadata__":null}""",
        """{"c":{"dtype":"C64","shape":[4],"data_offsets":[0,32],"more":[{"x":1}]},"d":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[32,35]},"e":{"dtype":"I8","shape":[29],"data_offsets":[35,64]}}""");

    public static IReadOnlyList<byte[]> Indexes { get; } = Texts(
        """{"metadata":{"total_size":64},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors","c":"model-00001-of-00002.safetensors"}}""",
        """{"weight_map":{"\u00e9":"sub/x.safetensors"},"metadata":{"total_size":1.5e3,"other":[1]},"more":null}""");

    public static IReadOnlyList<byte[]> Configs { get; } =
    [
        .. Texts(
            """{"model_type":"llama","torch_dtype":"torch.bfloat16","tie_word_embeddings":true,"eps":1e-05,"none":NaN,"most":-Infinity}""",
            "{\n  \"architectures\": [\n    \"X\"\n  ],\n  \"text_config\": {\n    \"dtype\": \"float16\",\n    \"quantization_config\": {\n      \"quant_method\": \"gptq\"\n    }\n  },\n  \"a\": []\n}\n",
            "{\r\n\t\"quantization_config\": null,\r\n\t\"x\": {\"y\": {\"compression_config\": {\"format\": \"pack-quantized\", \"ignore\": [\"re:.*\"]}}}\r\n}",
            """{"_class_name":"FluxTransformer2DModel","quantization_config":{"_load_in_4bit":true,"bnb_4bit_compute_dtype":"bfloat16","bnb_4bit_quant_type":"nf4","llm_int8_skip_modules":["lm_head"],"llm_int8_threshold":6.0,"load_in_4bit":true,"quant_method":"bitsandbytes"}}""",
            """{"quantization_config":{"config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":4,"group_size":32,"strategy":"group","symmetric":true,"type":"int"}}},"format":"pack-quantized","quant_method":"compressed-tensors","quantization_status":"compressed"}}""",
            """{"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128],"modules_to_not_convert":["a"],"group_size":128,"checkpoint_format":"gptq","version":"gemm","is_marlin_format":false}}"""),
        System.IO.File.ReadAllBytes(Golden.File("tiny-llama", "source", "config.json")),
    ];

    public static IReadOnlyList<byte[]> QuantStates { get; } = Texts(
        """{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [64, 128]}""",
        """{"quant_type": "fp4", "blocksize": 4096, "dtype": "float32", "shape": [1], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.0123}""");

    public static IReadOnlyList<byte[]> Adapters { get; } =
    [
        .. Texts(
            """{"peft_type":"LORA","lora_alpha":16,"r":8,"use_rslora":true,"alpha_pattern":{"q_proj":4,"^layers\\.[0-9]+":2.5},"init_lora_weights":"gaussian"}""",
            """{"peft_type":"LORA","lora_alpha":1.5,"use_dora":true,"fan_in_fan_out":true,"alpha_pattern":{},"layer_replication":[],"lora_bias":false}"""),
        System.IO.File.ReadAllBytes(Golden.File("lora", "patterns", "adapter_config.json")),
    ];

    public static IReadOnlyList<byte[]> Gguf { get; } = [SmallGguf(), System.IO.File.ReadAllBytes(Golden.File("imatrix", "imatrix.gguf"))[..4096]];

    public static IReadOnlyList<byte[]> Dat { get; } = [SmallDat(tail: true), SmallDat(tail: false)];

    public static IReadOnlyList<byte[]> Pointers { get; } = Texts(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
        "version https://hawser.github.com/spec/v1\r\noid x\r\nsize -1\r\n");

    /// <summary>A whole file around a header.</summary>
    public static byte[] File(byte[] header)
    {
        byte[] file = new byte[8 + header.Length + HeaderData];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        return file;
    }

    private static byte[][] Texts(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];

    private static byte[] SmallGguf()
    {
        using var stream = new MemoryStream();
        using var file = new BinaryWriter(stream);
        file.Write("GGUF"u8);
        file.Write(3);
        file.Write(2L);
        file.Write(3L);
        Text(file, "general.type");
        file.Write(8);
        Text(file, "imatrix");
        Text(file, "general.alignment");
        file.Write(4);
        file.Write(32);
        Text(file, "imatrix.datasets");
        file.Write(9);
        file.Write(8);
        file.Write(1L);
        Text(file, "wiki");
        Tensor(file, "blk.0.attn_q.weight.in_sum2", [4, 1], 0);
        Tensor(file, "blk.0.attn_q.weight.counts", [1, 1], 32);
        while (stream.Length % 32 != 0) file.Write((byte)0);
        foreach (float value in (float[])[1, 2, 3, 4, 0, 0, 0, 0, 2]) file.Write(value);
        return stream.ToArray();
    }

    private static byte[] SmallDat(bool tail)
    {
        using var stream = new MemoryStream();
        using var file = new BinaryWriter(stream);
        file.Write(2);
        foreach (string name in (string[])["blk.0.attn_q.weight", "output.weight"])
        {
            file.Write(name.Length);
            file.Write(Encoding.ASCII.GetBytes(name));
            file.Write(3);
            file.Write(4);
            foreach (float value in (float[])[1, 0, 3, 4]) file.Write(value);
        }

        if (tail)
        {
            file.Write(7);
            file.Write(4);
            file.Write("wiki"u8);
        }

        return stream.ToArray();
    }

    private static void Tensor(BinaryWriter file, string name, long[] dimensions, long offset)
    {
        Text(file, name);
        file.Write(dimensions.Length);
        foreach (long dimension in dimensions) file.Write(dimension);
        file.Write(0);
        file.Write(offset);
    }

    private static void Text(BinaryWriter file, string text)
    {
        file.Write((long)text.Length);
        file.Write(Encoding.ASCII.GetBytes(text));
    }
}
