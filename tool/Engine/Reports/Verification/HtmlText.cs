using System.Net;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports.Verification;

/// <summary>Text from files in HTML, as content and in quoted attributes.</summary>
internal static class HtmlText
{
    /// <summary>A name as it stands in a file.</summary>
    public static string Name(string name) => Encode(DisplayText.Escape(name));

    /// <summary>Text that is escaped for display already.</summary>
    public static string Encode(string shown) => WebUtility.HtmlEncode(shown);
}
