using System.Globalization;
using System.Text.RegularExpressions;

namespace Bnb.Formats.Checkpoints;

/// <summary>The name of one weight file among several: <c>model-00002-of-00005.safetensors</c>.</summary>
public static partial class ShardName
{
    /// <summary>How many files the name says there are; 1 for a name that says nothing.</summary>
    public static int CountOf(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        Match match = Pattern().Match(Path.GetFileName(path));
        return match.Success ? int.Parse(match.Groups[3].ValueSpan, CultureInfo.InvariantCulture) : 1;
    }

    /// <summary>Groups: base name, number, count, ending.</summary>
    [GeneratedRegex(@"\A(.+)-([0-9]{5})-of-([0-9]{5})(\.safetensors|\.bin)\z", RegexOptions.CultureInvariant)]
    internal static partial Regex Pattern();
}
