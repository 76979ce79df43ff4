using System.Globalization;
using Bnb.Cli.Terminal;

namespace Bnb.Tool.Tests;

/// <summary>Keeps what a command says; never interactive, fixed width.</summary>
internal sealed class FakeTerminal : ITerminal
{
    private readonly StringWriter _out = new(CultureInfo.InvariantCulture);
    private readonly StringWriter _error = new(CultureInfo.InvariantCulture);

    public TextWriter Out => _out;

    public TextWriter Error => _error;

    public bool OutIsInteractive => false;

    public bool ErrorIsInteractive => false;

    public bool Color => false;

    public int Width => 160;

    public string OutText => _out.ToString();

    public string ErrorText => _error.ToString();
}
