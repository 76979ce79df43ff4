using System.CommandLine;

namespace Bnb.Cli.Completion;

/// <summary>A command as a shell sees it: words that may follow.</summary>
/// <param name="Name">The subcommand.</param>
/// <param name="Description">What it is for.</param>
/// <param name="Options">Its options, those of every command among them.</param>
/// <param name="Words">What its argument may be; empty where that is a path.</param>
internal sealed record CommandShape(string Name, string Description, IReadOnlyList<OptionShape> Options, IReadOnlyList<string> Words)
{
    /// <summary>All commands of the tool in the order of its help.</summary>
    public static IReadOnlyList<CommandShape> All(RootCommand root) =>
    [
        .. root.Subcommands.Where(command => !command.Hidden).Select(command => new CommandShape(
            command.Name,
            command.Description ?? "",
            [.. command.Options.Where(option => !option.Hidden).Select(option => OptionShape.Of(command, option))],
            command.Name == "completion" ? CompletionScript.Shells : [])),
    ];
}
