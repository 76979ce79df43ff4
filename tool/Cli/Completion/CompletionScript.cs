using System.Text;

namespace Bnb.Cli.Completion;

/// <summary>
/// What makes a shell complete <c>dotnet bnb</c> and <c>dotnet-bnb</c>. The script holds all words itself: pressing the tab key
/// starts no process.
/// </summary>
internal static class CompletionScript
{
    /// <summary>The shells there is a script for.</summary>
    public static IReadOnlyList<string> Shells { get; } = ["bash", "zsh", "fish", "pwsh"];

    /// <summary>The script of one of <see cref="Shells"/>.</summary>
    public static string For(string shell, IReadOnlyList<CommandShape> commands) => shell switch
    {
        "bash" => Bash(commands),
        // zsh runs completions of bash; one script less that could be wrong.
        "zsh" => "#compdef dotnet-bnb\nautoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + Bash(commands),
        "fish" => Fish(commands),
        "pwsh" => Pwsh(commands),
        _ => throw new ArgumentOutOfRangeException(nameof(shell), shell, null),
    };

    private static string Bash(IReadOnlyList<CommandShape> commands)
    {
        var script = new StringBuilder();
        script.Append("_dotnet_bnb() {\n");
        script.Append("  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\" first=1 words=\n");
        script.Append("  [ \"${COMP_WORDS[0]##*/}\" = dotnet ] && first=2\n");
        script.Append("  COMPREPLY=()\n");
        script.Append("  if [ \"$COMP_CWORD\" -eq \"$first\" ]; then\n");
        script.Append($"    COMPREPLY=($(compgen -W '{string.Join(' ', commands.Select(command => command.Name))} help --help --version' -- \"$current\"))\n");
        script.Append("    return\n  fi\n");
        script.Append("  case \"${COMP_WORDS[first]} $previous\" in\n");
        foreach ((string? command, OptionShape option) in ValueOptions(commands))
        {
            string patterns = string.Join('|', option.Names.Select(name => command is null ? $"*' {name}'" : $"'{command} {name}'"));
            script.Append($"    {patterns}) COMPREPLY=($(compgen -W '{string.Join(' ', option.Values)}' -- \"$current\")); return ;;\n");
        }

        script.Append("  esac\n");
        script.Append("  case \"${COMP_WORDS[first]}\" in\n");
        foreach (CommandShape command in commands)
            script.Append($"    {command.Name}) words='{string.Join(' ', command.Options.SelectMany(option => option.Names))}' ;;\n");
        script.Append("  esac\n");
        script.Append("  case \"${COMP_WORDS[first]} $current\" in\n");
        foreach (CommandShape command in commands.Where(static command => command.Words.Count > 0))
            script.Append($"    {command.Name}' '[!-]*|{command.Name}' ') COMPREPLY=($(compgen -W '{string.Join(' ', command.Words)}' -- \"$current\")) ;;\n");
        script.Append($"    help' '*) COMPREPLY=($(compgen -W '{string.Join(' ', commands.Select(command => command.Name))}' -- \"$current\")) ;;\n");
        script.Append("    *' '-*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n");
        script.Append("    *)  COMPREPLY=($(compgen -f -- \"$current\")); type compopt > /dev/null 2>&1 && compopt -o filenames 2> /dev/null ;;\n");
        script.Append("  esac\n}\n");
        script.Append("complete -F _dotnet_bnb dotnet-bnb\n");
        // dotnet has completions of its own; they go on for everything but bnb.
        script.Append("_dotnet_bnb_before=\"$(complete -p dotnet 2> /dev/null | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p')\"\n");
        script.Append("[ \"$_dotnet_bnb_before\" = _dotnet_or_bnb ] && _dotnet_bnb_before=\n");
        script.Append("_dotnet_or_bnb() {\n");
        script.Append("  if [ \"$COMP_CWORD\" -gt 1 ] && [ \"${COMP_WORDS[1]}\" = bnb ]; then _dotnet_bnb; elif [ -n \"$_dotnet_bnb_before\" ]; then \"$_dotnet_bnb_before\" \"$@\"; fi\n");
        script.Append("}\n");
        script.Append("complete -o default -F _dotnet_or_bnb dotnet\n");
        return script.ToString();
    }

    private static string Fish(IReadOnlyList<CommandShape> commands)
    {
        var script = new StringBuilder();
        foreach (CommandShape command in commands)
        {
            script.Append($"complete -c dotnet-bnb -n __fish_use_subcommand -a {command.Name} -d '{Single(command.Description)}'\n");
            if (command.Words.Count > 0) script.Append($"complete -c dotnet-bnb -n '__fish_seen_subcommand_from {command.Name}' -f -a '{string.Join(' ', command.Words)}'\n");
            foreach (OptionShape option in command.Options)
            {
                script.Append($"complete -c dotnet-bnb -n '__fish_seen_subcommand_from {command.Name}'");
                foreach (string name in option.Names) script.Append(name.StartsWith("--", StringComparison.Ordinal) ? $" -l {name[2..]}" : name.Length == 2 ? $" -s {name[1..]}" : "");
                if (option.ValueName is not null) script.Append(option.TakesPath ? " -r -F" : " -x");
                if (option.Values.Count > 0) script.Append($" -a '{string.Join(' ', option.Values)}'");
                script.Append($" -d '{Single(option.Description)}'\n");
            }
        }

        // As if the other name had been typed; what dotnet completes itself stays as it is.
        script.Append("complete -c dotnet -n '__fish_seen_subcommand_from bnb' -f -a '(complete -C (string replace -r \"^\\s*dotnet\\s+bnb\" dotnet-bnb -- (commandline -cp)))'\n");
        return script.ToString();
    }

    private static string Pwsh(IReadOnlyList<CommandShape> commands)
    {
        var script = new StringBuilder();
        script.Append("Register-ArgumentCompleter -Native -CommandName dotnet-bnb -ScriptBlock {\n");
        script.Append("    param($wordToComplete, $commandAst, $cursorPosition)\n");
        script.Append($"    $commands = @({List(commands.Select(command => command.Name))})\n");
        script.Append("    $options = @{\n");
        foreach (CommandShape command in commands)
            script.Append($"        '{command.Name}' = @({List(command.Options.SelectMany(option => option.Names))})\n");
        script.Append("    }\n    $values = @{\n");
        foreach ((string? command, OptionShape option) in ValueOptions(commands))
        {
            foreach (string name in option.Names) script.Append($"        '{(command is null ? name : $"{command} {name}")}' = @({List(option.Values)})\n");
        }

        script.Append("    }\n    $arguments = @{\n");
        foreach (CommandShape command in commands.Where(static command => command.Words.Count > 0))
            script.Append($"        '{command.Name}' = @({List(command.Words)})\n");

        script.Append("    }\n");
        script.Append("    $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })\n");
        script.Append("    $before = if ($wordToComplete) { $words[-2] } else { $words[-1] }\n");
        script.Append("    $found = if ($values.ContainsKey(\"$($words[1]) $before\")) { $values[\"$($words[1]) $before\"] }\n");
        script.Append("        elseif ($values.ContainsKey($before)) { $values[$before] }\n");
        script.Append("        elseif ($words.Count -le 1 -or ($words.Count -eq 2 -and $wordToComplete)) { $commands }\n");
        script.Append("        elseif ($options.ContainsKey($words[1]) -and $wordToComplete.StartsWith('-')) { $options[$words[1]] }\n");
        script.Append("        elseif ($arguments.ContainsKey($words[1])) { $arguments[$words[1]] }\n");
        script.Append("    $found | Where-Object { $_ -like \"$wordToComplete*\" } | ForEach-Object {\n");
        script.Append("        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)\n    }\n}\n");
        return script.ToString();
    }

    /// <summary>An option's words in the commands that take other ones than most, and then, with null, in the others.</summary>
    private static IEnumerable<(string? Command, OptionShape Option)> ValueOptions(IReadOnlyList<CommandShape> commands)
    {
        var uses = commands.SelectMany(static command => command.Options.Where(static option => option.Values.Count > 0).Select(option => (Command: command.Name, Option: option)));
        foreach (var option in uses.GroupBy(static use => use.Option.Names[0]))
        {
            var usual = option.GroupBy(static use => string.Join(' ', use.Option.Values)).MaxBy(static words => words.Count())!;
            foreach (var use in option.Where(use => string.Join(' ', use.Option.Values) != usual.Key)) yield return (use.Command, use.Option);
            yield return (null, usual.First().Option);
        }
    }

    private static string List(IEnumerable<string> words) => string.Join(", ", words.Select(word => $"'{word}'"));

    private static string Single(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal);
}
