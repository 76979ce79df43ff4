using System.Globalization;
using Bnb.Cli.Terminal;

namespace Bnb.Tool.Tests;

/// <summary>Keeps what a command says; never interactive.</summary>
/// <param name="width">Columns of stdout.</param>
/// <param name="errorWidth">Columns of stderr.</param>
internal sealed class FakeTerminal(int width = 160, int errorWidth = ITerminal.Unlimited) : ITerminal
{
    private readonly StringWriter _out = new(CultureInfo.InvariantCulture);
    private readonly SharedWriter _error = new();

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

    /// <summary>The display of progress writes from a thread of its own while a test reads.</summary>
    private sealed class SharedWriter() : StringWriter(CultureInfo.InvariantCulture)
    {
        private readonly Lock _gate = new();

        public override void Write(char value)
        {
            lock (_gate) base.Write(value);
        }

        public override void Write(string? value)
        {
            lock (_gate) base.Write(value);
        }

        public override void Write(char[] buffer, int index, int count)
        {
            lock (_gate) base.Write(buffer, index, count);
        }

        public override void Write(ReadOnlySpan<char> buffer)
        {
            lock (_gate) base.Write(buffer);
        }

        public override string ToString()
        {
            lock (_gate) return base.ToString();
        }
    }
}
