namespace Bnb.TestKit;

/// <summary>Numbers that are the same on every machine for the same seed: xorshift64*.</summary>
internal sealed class Dice(ulong seed)
{
    private ulong _state = seed;

    /// <summary>From 0 up to below a limit, 0 when there is none.</summary>
    public int Next(int limit)
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return limit <= 0 ? 0 : (int)((_state * 0x2545f4914f6cdd1d >> 33) % (ulong)limit);
    }
}
