using System.CommandLine;
using System.CommandLine.Parsing;

namespace Bnb.Cli.Options;

/// <summary>The options that ask whether a model fits a GPU.</summary>
internal sealed class FitOptions
{
    private const int DefaultContext = 8192;

    private readonly string? _onlyWith;

    /// <param name="onlyWith">A switch of the command without which there is nothing to ask; null for none.</param>
    public FitOptions(string? onlyWith = null)
    {
        _onlyWith = onlyWith;
        string with = onlyWith is null ? "Also" : $"With {onlyWith}:";
        Fits = new("--fits")
        {
            Description = $"{with} say whether weights and KV cache fit a GPU of this memory, for example 24GiB (default: not asked)",
            HelpName = "SIZE",
            CustomParser = Choice.Size,
        };
    }

    /// <summary><c>--fits</c>.</summary>
    public Option<long> Fits { get; }

    /// <summary><c>--context</c>.</summary>
    public Option<int> Context { get; } = new("--context")
    {
        Description = "Tokens in the KV cache for --fits, of all sequences together (default: 8192)",
        HelpName = "N",
        CustomParser = Choice.Number(1, int.MaxValue),
    };

    /// <summary>Bytes of the GPU, null when not asked.</summary>
    public long? Memory(ParseResult parsed) => parsed.GetResult(Fits) is { Implicit: false } ? parsed.GetValue(Fits) : null;

    /// <summary>Tokens in the cache.</summary>
    public int Tokens(ParseResult parsed) => parsed.ValueOr(Context, DefaultContext);

    /// <summary>Adds an error for options that would say nothing.</summary>
    public void Validate(CommandResult result)
    {
        if (result.GetResult(Fits) is not { Implicit: false })
        {
            if (result.GetResult(Context) is { Implicit: false }) result.AddError("--context needs --fits SIZE, the memory of the GPU");
            return;
        }

        if (_onlyWith is not null && result.GetResult(_onlyWith) is not OptionResult { Implicit: false })
            result.AddError($"--fits needs {_onlyWith}; of what is written, ask inspect --fits");
    }
}
