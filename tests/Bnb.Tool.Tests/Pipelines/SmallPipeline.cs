using System.Text;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Pipelines;

/// <summary>A pipeline like Flux: a denoiser in two files, two text encoders, a VAE, and what has no weights.</summary>
internal static class SmallPipeline
{
    public const string Query = "transformer_blocks.0.attn.to_q.weight";
    public const string EncoderQuery = "encoder.block.0.layer.0.SelfAttention.q.weight";
    public const string Decoder = "decoder.mid_block.attentions.0.to_q.weight";

    private const string Index = """
        {
          "_class_name": "FluxPipeline",
          "_diffusers_version": "0.42.1",
          "feature_extractor": [null, null],
          "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
          "text_encoder": ["transformers", "CLIPTextModel"],
          "text_encoder_2": ["transformers", "T5EncoderModel"],
          "tokenizer": ["transformers", "CLIPTokenizer"],
          "transformer": ["diffusers", "FluxTransformer2DModel"],
          "vae": ["diffusers", "AutoencoderKL"]
        }

        """;

    /// <summary>Writes it and returns its folder.</summary>
    public static string Write(TempFolder folder, string name)
    {
        Text(folder, $"{name}/model_index.json", Index);
        Text(folder, $"{name}/README.md", "---\nlicense: mit\n---\n# Small\n");
        Text(folder, $"{name}/scheduler/scheduler_config.json", "{}\n");
        Text(folder, $"{name}/tokenizer/vocab.json", "{}\n");
        Text(folder, $"{name}/transformer/config.json", "{\n  \"_class_name\": \"FluxTransformer2DModel\",\n  \"num_layers\": 1\n}\n");
        Text(folder, $"{name}/text_encoder/config.json", "{\"architectures\": [\"CLIPTextModel\"], \"model_type\": \"clip_text_model\"}\n");
        Text(folder, $"{name}/text_encoder_2/config.json", "{\"architectures\": [\"T5EncoderModel\"], \"model_type\": \"t5\"}\n");
        Text(folder, $"{name}/vae/config.json", "{\"_class_name\": \"AutoencoderKL\"}\n");
        // The root of such repositories often holds an export of one component.
        folder.Write($"{name}/flux1-dev.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats("a", "BF16", 8)));
        string[] shards = ["diffusion_pytorch_model-00001-of-00002.safetensors", "diffusion_pytorch_model-00002-of-00002.safetensors"];
        TestTensor[] denoiser = [TestTensor.Floats(Query, "BF16", 128, 128), TestTensor.Floats("transformer_blocks.0.attn.to_k.weight", "BF16", 128, 128)];
        for (int i = 0; i < 2; i++) folder.Write($"{name}/transformer/{shards[i]}", CheckpointBuilder.Safetensors(denoiser[i]));
        Text(
            folder, $"{name}/transformer/diffusion_pytorch_model.safetensors.index.json",
            CheckpointBuilder.Index(denoiser.Select((tensor, i) => (tensor.Name, shards[i])), 4 * 128 * 128));
        folder.Write($"{name}/text_encoder/model.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats("text_model.encoder.layers.0.self_attn.q_proj.weight", "F16", 64, 64)));
        folder.Write($"{name}/text_encoder_2/model.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats(EncoderQuery, "BF16", 64, 128)));
        folder.Write($"{name}/vae/diffusion_pytorch_model.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats(Decoder, "F32", 64, 64)));
        return folder[name];
    }

    private static void Text(TempFolder folder, string path, string text) => folder.Write(path, Encoding.UTF8.GetBytes(text));
}
