using System.Text;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;

namespace Bnb.Engine.Manifests;

/// <summary>
/// Puts what was measured into the README.md of an output, between two comments of its own, so that the next measurement replaces
/// it; and the new hash into the folder's manifest, which says what every file is. Nothing else is touched.
/// </summary>
internal sealed class CardUpdate
{
    private const int LargestCard = 4 << 20;

    /// <summary>Begins what <c>quantize</c> writes; a line of dashes ends it.</summary>
    private const string OwnHeading = "# Quantized to ";

    private const string Rule = "\n---\n";

    private readonly string _folder;
    private readonly string _card;
    private readonly OutputManifest? _manifest;

    /// <summary>Looks whether it can be done, before the work.</summary>
    /// <exception cref="UserErrorException">CARD: QUANTIZED is no folder, or its README.md is a link or no text; MANIFEST.</exception>
    public CardUpdate(string folder)
    {
        _folder = folder;
        if (!Directory.Exists(folder)) throw Refuse(folder, "a model card stands in a folder, and this is none", "give the folder of the output");
        string path = CardPath;
        if (new FileInfo(path).LinkTarget is not null) throw Refuse(path, "the model card is a link: another place would be written to", "copy the folder, or leave the option out");
        _card = Read(path);
        _manifest = OutputManifest.Find(folder);
    }

    private string CardPath => Path.Combine(_folder, OutputPlan.CardName);

    /// <summary>Writes a section, in place of the one of the same name.</summary>
    /// <param name="name">What measured it.</param>
    /// <param name="section">Markdown that ends with a line feed.</param>
    public void Write(string name, string section)
    {
        byte[] card = Encoding.UTF8.GetBytes(With(_card, $"<!-- bnb:{name} -->\n", section, $"<!-- /bnb:{name} -->\n"));
        ReportFile.Write(CardPath, card);
        if (_manifest is null) return;
        IEnumerable<FileRecord> others = _manifest.Files.Where(file => file.Name != OutputPlan.CardName);
        OutputManifest manifest = _manifest with
        {
            Files = [.. others.Append(FileRecord.Of(OutputPlan.CardName, card)).OrderBy(file => file.Name, StringComparer.Ordinal)],
        };
        ReportFile.Write(Path.Combine(_folder, OutputManifest.FileName), manifest.Write());
    }

    private static string With(string card, string start, string section, string end)
    {
        int from = card.IndexOf(start, StringComparison.Ordinal);
        int to = from < 0 ? -1 : card.IndexOf(end, from, StringComparison.Ordinal);
        if (to >= 0) return card[..from] + start + section + end + card[(to + end.Length)..];
        int place = Place(card);
        string before = card[..place].TrimEnd('\n'), after = card[place..].TrimStart('\n');
        return (before.Length > 0 ? before + "\n\n" : "") + start + section + end + (after.Length > 0 ? "\n" + after : "");
    }

    /// <summary>At the end of what quantize wrote; in a card of someone else's below the metadata.</summary>
    private static int Place(string card)
    {
        int own = card.IndexOf(OwnHeading, StringComparison.Ordinal);
        if (own >= 0) return card.IndexOf(Rule, own, StringComparison.Ordinal) is var rule and >= 0 ? rule + 1 : card.Length;
        int end = card.StartsWith("---\n", StringComparison.Ordinal) ? card.IndexOf(Rule, StringComparison.Ordinal) : -1;
        return end < 0 ? 0 : end + Rule.Length;
    }

    private static string Read(string path)
    {
        if (!File.Exists(path)) return "";
        try
        {
            if (new FileInfo(path).Length > LargestCard) throw Refuse(path, "the model card is longer than any of ours", "leave the option out");
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path)).TrimStart('\ufeff').ReplaceLineEndings("\n");
        }
        catch (DecoderFallbackException)
        {
            throw Refuse(path, "the model card is no text", "leave the option out");
        }
    }

    private static UserErrorException Refuse(string path, string what, string action) =>
        new(ExitCode.OutputRefused, "CARD", what) { File = path, Action = action };
}
