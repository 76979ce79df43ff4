using Bnb.Engine.Output;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Screens;

/// <summary>What the commands that write a checkpoint say alike.</summary>
internal static class OutputText
{
    public static string NothingToDo(string output) => $"nothing to do: {DisplayText.Escape(output)} is complete and was made by the same plan";

    /// <summary>A row, when an earlier run had done a part.</summary>
    public static (string Label, string Value)[] Reused(OutputResult result, int files) => result.Reused > 0
        ? [("reused", $"{TableConsole.Number(result.Reused)} of {TableConsole.Number(files)} weight files that an earlier run had made")]
        : [];

    /// <summary>A row, when weight files were written without their SHA-256.</summary>
    public static (string Label, string Value)[] Checksums(OutputResult result) => result.HasChecksums
        ? []
        : [("checksums", "left out: verify --manifest cannot check the weight files")];
}
