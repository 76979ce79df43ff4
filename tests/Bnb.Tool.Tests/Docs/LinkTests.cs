using System.Text.RegularExpressions;
using Xunit;

namespace Bnb.Tool.Tests.Docs;

public sealed partial class LinkTests
{
    [Fact]
    public void LocalLinks_InAllDocuments_LeadSomewhere()
    {
        var dead = new List<string>();
        foreach (Document document in Document.All())
        {
            foreach ((int number, string text) in document.Prose())
            {
                foreach (Match link in Link().Matches(text))
                    if (!Leads(document, link.Groups[1].Value)) dead.Add($"{document.Name}:{number}: {link.Groups[1].Value}");
            }
        }

        Assert.Empty(dead);
    }

    private static bool Leads(Document from, string target)
    {
        if (target.StartsWith("https://", StringComparison.Ordinal)) return true;
        string[] parts = target.Split('#', 2);
        string path = parts[0].Length == 0 ? from.FullPath : Path.Combine(Path.GetDirectoryName(from.FullPath)!, parts[0]);
        if (!Path.Exists(path)) return false;
        return parts.Length == 1 || new Document(path, File.ReadAllLines(path)).Anchors().Contains(parts[1]);
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
