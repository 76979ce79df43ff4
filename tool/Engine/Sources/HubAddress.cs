using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Sources;

/// <summary>A model's address on the hub: <c>hf://org/name@revision/file</c> or a page of it as a browser shows it.</summary>
/// <param name="Model">The model and its revision.</param>
/// <param name="File">Path below it, with slashes; null for the model itself.</param>
internal sealed record HubAddress(RepositoryName Model, string? File)
{
    private static readonly string[] Hosts = ["https://huggingface.co/", "http://huggingface.co/", "https://hf.co/", "huggingface.co/", "hf.co/"];
    private static readonly string[] Views = ["tree", "blob", "resolve", "raw"];

    /// <summary>Null for anything that is no address of a model there.</summary>
    public static HubAddress? TryParse(string text)
    {
        const string scheme = "hf://";
        if (text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)) return Parts(text[scheme.Length..]);
        string? host = Hosts.FirstOrDefault(host => text.StartsWith(host, StringComparison.OrdinalIgnoreCase));
        return host is null ? null : Page(text[host.Length..]);
    }

    /// <summary><c>org/name@revision/path/of/file</c>, perhaps with <c>models/</c> before it.</summary>
    private static HubAddress? Parts(string text)
    {
        string[] parts = text.TrimEnd('/').Split('/');
        if (parts.Length > 2 && parts[0] == "models") parts = parts[1..];
        if (parts.Length < 2) return null;
        return Of($"{parts[0]}/{parts[1]}", parts[2..]);
    }

    /// <summary><c>org/name/tree/revision/path</c>, with whatever follows a <c>?</c> or <c>#</c> cut off.</summary>
    private static HubAddress? Page(string text)
    {
        string[] parts = text.Split('?', '#')[0].TrimEnd('/').Split('/');
        if (parts.Length < 2) return null;
        bool hasView = parts.Length > 3 && Views.Contains(parts[2]);
        return hasView ? Of($"{parts[0]}/{parts[1]}@{parts[3]}", parts[4..]) : Of($"{parts[0]}/{parts[1]}", []);
    }

    private static HubAddress? Of(string model, string[] file)
    {
        bool leadsOut = file.Any(part => part is "" or "." or "..");
        return leadsOut || !RepositoryName.TryParse(model, out RepositoryName? name)
            ? null
            : new HubAddress(name, file.Length == 0 ? null : string.Join('/', file));
    }
}
