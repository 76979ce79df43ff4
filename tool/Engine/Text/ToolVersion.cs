using System.Reflection;

namespace Bnb.Engine.Text;

/// <summary>The tool's own name and version, as printed and as written to journals.</summary>
internal static class ToolVersion
{
    public static string Number { get; } =
        typeof(ToolVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static string Name { get; } = "dotnet-bnb " + Number;
}
