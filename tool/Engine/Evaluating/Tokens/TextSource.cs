using System.Text;
using Bnb.Engine.Errors;
using Bnb.Engine.Text;

namespace Bnb.Engine.Evaluating.Tokens;

/// <summary>The text that is evaluated: the user's, or the sample that comes with the tool.</summary>
internal static class TextSource
{
    private const long LargestFile = 1L << 28;

    /// <summary>No tokenizer of a language model has tokens this long on average; what lies beyond need not be tokenized.</summary>
    private const int CharactersPerToken = 64;

    private const string SampleName = "Bnb.Engine.Evaluating.Tokens.sample-text.txt";

    /// <summary>The first <paramref name="most"/> tokens of a text in contexts.</summary>
    /// <param name="path">A UTF-8 file, or null for the sample.</param>
    public static TokenRows Read(string? path, TextTokenizer tokenizer, int most, int context)
    {
        string text = path is null ? Sample() : ReadFile(path);
        // A cut in the middle of a text changes the tokens next to it alone, which are far behind those that are taken.
        long enough = (long)most * CharactersPerToken;
        return TokenRows.Cut(tokenizer.Encode(text.Length > enough ? text[..(int)enough] : text), most, context);
    }

    private static string ReadFile(string path)
    {
        byte[]? bytes = NamedFile.TryRead(path, LargestFile, out string wrong);
        if (bytes is not null)
        {
            try
            {
                using var reader = new StreamReader(
                    new MemoryStream(bytes), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
                return reader.ReadToEnd();
            }
            catch (DecoderFallbackException)
            {
                wrong = "it is not UTF-8";
            }
        }

        throw new UserErrorException(File.Exists(path) && !NamedFile.IsIrregular(path) ? ExitCode.InputMalformed : ExitCode.InputMissing, "TEXT", $"the text cannot be read: {wrong}")
        {
            File = path,
            Action = $"name a UTF-8 text of at most {LargestFile} bytes, or leave --text out for the sample text",
        };
    }

    private static string Sample()
    {
        using Stream stream = typeof(TextSource).Assembly.GetManifestResourceStream(SampleName)
            ?? throw new InvalidOperationException("the sample text is not in the program");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
