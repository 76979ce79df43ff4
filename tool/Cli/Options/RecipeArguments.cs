using System.CommandLine;
using Bnb.Engine.Errors;
using Bnb.Engine.Recipes;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Options;

/// <summary>
/// Puts the options of a recipe file on the command line: an option that the command line has itself goes before that of the file.
/// Repeatable options of both count, those of the file first. So the file's values are checked as typed ones are.
/// </summary>
internal static class RecipeArguments
{
    /// <summary>The option that names the file.</summary>
    public const string Name = "--config";

    // What is asked of one run, and says nothing of how a model is made.
    private static readonly string[] NotInFiles = [Name, "--help", "--output", "--dry-run", "--print-config", "--no-checksums", "--fits", "--context"];

    /// <summary>The option itself; what it does is done before the command line is parsed.</summary>
    public static Option<string?> Option() => new(Name)
    {
        Description = "JSON file with options by their long names in camel case, as plan writes it; options given here go before it (default: none)",
        HelpName = "FILE",
        CustomParser = Choice.FilePath,
    };

    /// <summary>The keys that a recipe for the command may have.</summary>
    public static IReadOnlyList<string> Keys(Command command) =>
        [.. command.Options.Where(option => !NotInFiles.Contains(option.Name)).Select(option => Recipe.KeyOf(option.Name))];

    /// <summary>The words with those of the file after the command's name.</summary>
    /// <param name="args">The words as given, the command's name first.</param>
    /// <exception cref="UserErrorException">RECIPE: the file cannot be read, or a key is no option of the command.</exception>
    public static IReadOnlyList<string> Expand(IReadOnlyList<string> args, RootCommand root)
    {
        if (args.Count == 0 || root.Subcommands.FirstOrDefault(command => command.Name == args[0]) is not { } command) return args;
        if (!command.Options.Any(option => option.Name == Name) || FileOf(args) is not { } path) return args;
        // What is no path at all is said when the words are parsed.
        if (path.Length == 0 || path.StartsWith("~/", StringComparison.Ordinal)) return args;
        var words = new List<string>();
        foreach ((string key, IReadOnlyList<string> values) in Recipe.Read(path).Options)
        {
            Option? option = command.Options.FirstOrDefault(option => option.Name == Recipe.OptionOf(key));
            if (option is null) throw Unknown(path, key, command);
            if (NotInFiles.Contains(option.Name)) throw Error(path, $"'{key}' cannot stand in a recipe", $"give {option.Name} on the command line");
            bool repeats = option.Arity.MaximumNumberOfValues > 1;
            if (values.Count != 1 && !repeats) throw Error(path, $"'{key}' takes one value");
            if (!repeats && IsGiven(args, option)) continue;
            foreach (string value in values) AddWords(words, option, value, path, key);
        }

        return [args[0], .. words, .. args.Skip(1)];
    }

    /// <summary>The file, when a mistake is one that the words alone do not make.</summary>
    public static string? Culprit(string mistake, IReadOnlyList<string> typed, RootCommand root) =>
        FileOf(typed) is { } path && root.Parse(typed, new ParserConfiguration { ResponseFileTokenReplacer = null }).Errors.All(error => error.Message != mistake) ? path : null;

    private static void AddWords(List<string> words, Option option, string value, string path, string key)
    {
        // A switch has no value of its own: true is the word alone.
        if (option.Arity.MinimumNumberOfValues == 0)
        {
            if (value is not ("true" or "false")) throw Error(path, $"'{key}' is true or false");
            if (value == "true") words.Add(option.Name);
            return;
        }

        words.Add(option.Name);
        words.Add(value);
    }

    private static string? FileOf(IReadOnlyList<string> args)
    {
        for (int i = 1; i < args.Count; i++)
        {
            if (args[i].StartsWith(Name + "=", StringComparison.Ordinal)) return args[i][(Name.Length + 1)..];
            if (args[i] == Name && i + 1 < args.Count) return args[i + 1];
        }

        return null;
    }

    private static bool IsGiven(IReadOnlyList<string> args, Option option) => args.Any(word =>
        word == option.Name || option.Aliases.Contains(word) || word.StartsWith(option.Name + "=", StringComparison.Ordinal)
        || word.StartsWith(option.Name + ":", StringComparison.Ordinal));

    private static UserErrorException Unknown(string path, string key, Command command)
    {
        IReadOnlyList<string> keys = Keys(command);
        string? elsewhere = Synonyms.Option(Recipe.OptionOf(key))?.Split(' ')[0];
        string? meant = keys.FirstOrDefault(known => Recipe.OptionOf(known) == elsewhere) ?? NearestNames.Within(key, keys, 3);
        return Error(path, $"'{DisplayText.Escape(key)}' is no option of {command.Name}", meant is null ? null : $"did you mean {meant}?");
    }

    private static UserErrorException Error(string path, string what, string? action = null) => new(ExitCode.Usage, "RECIPE", what)
    {
        File = path,
        Action = action ?? "keys are the long option names in camel case, such as blockSize",
    };
}
