using System.Text.Json;
using Bnb.Engine.Errors;
using Tokenizers.DotNet;

namespace Bnb.Engine.Evaluating.Tokens;

/// <summary>A model's own tokenizer, as its <c>tokenizer.json</c> describes it; the tokens are those of Hugging Face's library,
/// which does the work.</summary>
internal sealed class TextTokenizer
{
    /// <summary>What a file may have kept of one call. transformers sets both anew with each call, to nothing where nothing is asked.</summary>
    private static readonly string[] OfOneCall = ["truncation", "padding"];

    private readonly Tokenizer _tokenizer;
    private readonly string _path;

    private TextTokenizer(Tokenizer tokenizer, string path) => (_tokenizer, _path) = (tokenizer, path);

    /// <summary>Reads the <c>tokenizer.json</c> of a model folder.</summary>
    /// <exception cref="UserErrorException">TOKENIZER: there is none, it cannot be read, or this platform has no library.</exception>
    public static TextTokenizer Open(string folder)
    {
        string path = Path.Combine(folder, "tokenizer.json");
        if (!File.Exists(path)) throw Failed(path, ExitCode.InputMissing, "there is no tokenizer.json beside the source's weights", null);
        try
        {
            return new TextTokenizer(Load(path), path);
        }
        catch (TokenizerException malformed)
        {
            throw Failed(path, ExitCode.InputMalformed, "tokenizer.json cannot be read", malformed);
        }
        catch (Exception missing) when (missing is DllNotFoundException or BadImageFormatException)
        {
            throw Failed(path, ExitCode.InputUnsupported, "the tokenizer library is not there for this platform", missing);
        }
    }

    /// <summary>The tokens of a text, with those special ones that the tokenizer adds.</summary>
    /// <exception cref="UserErrorException">TOKENIZER: the text has no tokens.</exception>
    public int[] Encode(string text)
    {
        try
        {
            return [.. _tokenizer.Encode(text).Select(id => checked((int)id))];
        }
        catch (TokenizerException failed)
        {
            throw Failed(_path, ExitCode.InputMalformed, "the text cannot be tokenized", failed);
        }
    }

    /// <summary>The library takes a file only, so one with settings of a call is read from a copy without them.</summary>
    private static Tokenizer Load(string path)
    {
        if (WithoutSettingsOfACall(path) is not { } changed) return new Tokenizer(path);
        string copy = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(copy, changed);
            return new Tokenizer(copy);
        }
        finally
        {
            File.Delete(copy);
        }
    }

    /// <summary>The file with null for them; null where it has none, or is no JSON, which the library then says.</summary>
    private static byte[]? WithoutSettingsOfACall(string path)
    {
        try
        {
            using JsonDocument file = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = file.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.EnumerateObject().Any(IsOfOneCall)) return null;
            using var changed = new MemoryStream();
            using (var json = new Utf8JsonWriter(changed))
            {
                json.WriteStartObject();
                foreach (JsonProperty member in root.EnumerateObject())
                {
                    if (IsOfOneCall(member)) json.WriteNull(member.Name);
                    else member.WriteTo(json);
                }

                json.WriteEndObject();
            }

            return changed.ToArray();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool IsOfOneCall(JsonProperty member) => member.Value.ValueKind != JsonValueKind.Null && OfOneCall.Contains(member.Name);

    private static UserErrorException Failed(string path, ExitCode exit, string what, Exception? cause) => new(exit, "TOKENIZER", what, cause)
    {
        File = path,
        Facts = cause is null ? [] : [("reason", cause.Message)],
        Action = "give tokens instead, as input_ids in a safetensors file: --ids FILE",
    };
}
