using System.Globalization;
using Bnb.Cli.Terminal;

namespace Bnb.Tool.Tests;

/// <summary>Keeps what a command says; never interactive.</summary>
/// <param name="width">Columns of stdout.</param>
/// <param name="errorWidth">Columns of stderr.</param>
internal sealed class FakeTerminal(int width = 160, int errorWidth = ITerminal.Unlimited) : ITerminal
{
    private readonly StringWriter _out = new(CultureInfo.InvariantCulture);
    private readonly StringWriter _error = new(CultureInfo.InvariantCulture);

    public TextWriter Out => _out;

    public TextWriter Error => _error;

    public bool OutIsInteractive => false;

    public bool ErrorIsInteractive { get; init; }

    public bool Reflows { get; init; } = true;

    public bool Color => false;

    public bool Plain { get; init; }

    public int Width => width;

    public int ErrorWidth { get; set; } = errorWidth;

    public string OutText => _out.ToString();

    public string ErrorText => _error.ToString();
}
