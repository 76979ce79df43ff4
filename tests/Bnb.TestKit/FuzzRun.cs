using System.Globalization;
using System.Text;

namespace Bnb.TestKit;

/// <summary>
/// A parser under changed inputs: the same ones every time, on every machine. The environment variable BNB_FUZZ multiplies their
/// number. Inputs with an outcome that was not seen before are changed further, so that what is hard to reach is reached.
/// </summary>
/// <param name="inputs">How many in a test run.</param>
/// <param name="fixedBytes">Memory that an input of no length may cost: buffers that do not grow with it, and objects that do.</param>
public sealed class FuzzRun(int inputs, long fixedBytes = 400_000)
{
    private const long BytesPerByte = 200;
    private const int LongestInput = 1 << 16;
    private const int MostSeeds = 300;
    private const int OutcomeLetters = 60;

    private static readonly int Times =
        int.TryParse(Environment.GetEnvironmentVariable("BNB_FUZZ"), CultureInfo.InvariantCulture, out int times) ? times : 1;

    /// <summary>Changes inputs and gives each to the parser.</summary>
    /// <param name="seeds">Inputs to begin with.</param>
    /// <param name="change">A changed copy of an input; the second argument is where pieces may be taken from.</param>
    /// <param name="parse">Runs the parser and checks what it gives; its answer names the outcome, a message of an error for example.</param>
    /// <exception cref="InvalidOperationException">The parser did something else than it may; the message has the input.</exception>
    public void Run(IEnumerable<byte[]> seeds, Func<byte[], IReadOnlyList<byte[]>, byte[]> change, Func<byte[], string> parse)
    {
        ArgumentNullException.ThrowIfNull(change);
        ArgumentNullException.ThrowIfNull(parse);
        List<byte[]> pool = [.. seeds];
        HashSet<string> outcomes = new(StringComparer.Ordinal);
        foreach (byte[] seed in pool.ToList()) _ = outcomes.Add(KindOf(Checked(seed, parse)));
        for (long i = 0; i < (long)inputs * Times; i++)
        {
            byte[] input = change(pool[(int)(i % pool.Count)], pool);
            if (input.Length > LongestInput) continue;
            if (outcomes.Add(KindOf(Checked(input, parse))) && pool.Count < MostSeeds) pool.Add(input);
        }
    }

    private string Checked(byte[] input, Func<byte[], string> parse)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        string outcome;
        try
        {
            outcome = parse(input);
        }
        catch (Exception escaped)
        {
            throw new InvalidOperationException($"escaped: {escaped.GetType().Name} for {Convert.ToBase64String(input)}", escaped);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return allocated <= fixedBytes + (BytesPerByte * input.Length)
            ? outcome
            : throw new InvalidOperationException($"{allocated} bytes for {input.Length}: {Convert.ToBase64String(input)}");
    }

    /// <summary>The outcome without what is different in every message: numbers, and all but its beginning.</summary>
    private static string KindOf(string outcome)
    {
        var kind = new StringBuilder(OutcomeLetters);
        foreach (char c in outcome.AsSpan(0, Math.Min(outcome.Length, 2 * OutcomeLetters)))
        {
            if (char.IsAsciiLetter(c)) kind.Append(c);
        }

        return kind.ToString();
    }
}
