namespace Bnb.Quant.Codes;

/// <summary>
/// The rank of x by halving, for machines whose table look-up takes 8 entries: at level n the position so far, below 2^n,
/// selects the threshold to compare with, and position = 2 * position + (x &gt; threshold).
/// </summary>
internal static class SearchTable<TCode>
    where TCode : struct, ICode4
{
    /// <summary>3 for 7 thresholds, 4 for 15.</summary>
    public static readonly int LevelCount = TCode.Thresholds.Length == 15 ? 4 : 3;

    /// <summary>8 entries per level, of which level n uses the first 2^n.</summary>
    public static readonly float[] Levels = Create();

    private static float[] Create()
    {
        var levels = new float[8 * LevelCount];
        for (int level = 0; level < LevelCount; level++)
        {
            int stride = 1 << (LevelCount - level);
            for (int i = 0; i < 1 << level; i++) levels[8 * level + i] = TCode.Thresholds[i * stride + stride / 2 - 1];
        }

        return levels;
    }
}
