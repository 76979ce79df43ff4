
namespace Bnb.Engine.Verifying;

/// <summary>What was measured on one quantized weight.</summary>
/// <param name="Name">The weight's tensor name.</param>
/// <param name="Blocksize">Values that share a scale: block size, group size; null where they are those of a row.</param>
/// <param name="Symmetric">Null for types without zero points.</param>
/// <param name="Gemm">Null when the product was not run.</param>
/// <param name="Findings">Reasons to fail first, then remarks.</param>
internal sealed record LayerResult(
    string Name,
    string QuantType,
    long? Blocksize,
    bool DoubleQuant,
    bool? Symmetric,
    long Rows,
    long Columns,
    Faithfulness Faithfulness,
    WeightError Weight,
    GemmError? Gemm,
    Histograms Histograms,
    IReadOnlyList<Finding> Findings)
{
    public bool Passed => !Findings.Any(finding => finding.Fails);
}

/// <summary>Level 1: the stored form against what the definition makes of the source.</summary>
/// <param name="Codes">Codes compared.</param>
/// <param name="CodesDiffering">Of those, not equal for a reason that matters.</param>
/// <param name="CodesExcused">Of those, not equal where bitsandbytes' own paths differ too: zero blocks, fp4's two zeros, ties.</param>
/// <param name="Blocks">Scales: blocks, rows or groups.</param>
/// <param name="BlocksDiffering">Blocks with at least one differing code.</param>
/// <param name="AbsmaxDiffering">Absmax values, or with double quantization their 8-bit codes and nested absmax, that differ; SCB; scales and zero points.</param>
/// <param name="AbsmaxExcused">8-bit codes off by what the library's CPU table hides.</param>
/// <param name="FirstDifference">Flat index of the first differing value, -1 when none.</param>
/// <param name="Cause">What the differences look like, null when there are none: wrong-source, transposed, damaged, scale-rule, nested-offset.</param>
internal sealed record Faithfulness(
    long Codes,
    long CodesDiffering,
    long CodesExcused,
    long Blocks,
    long BlocksDiffering,
    long AbsmaxDiffering,
    long AbsmaxExcused,
    long FirstDifference,
    string? Cause);

/// <summary>Level 2: decoded weights against the source's.</summary>
/// <param name="RelativeRmse">Root mean square error over root mean square of the source.</param>
/// <param name="Expected">The same for normal weights of this type and block size, from theory; 1 where there is none.</param>
/// <param name="Limit">The largest relative RMSE that is allowed, the user's or that of theory.</param>
internal sealed record WeightError(double RelativeRmse, double SnrDb, double MaxAbs, double Cosine, double Expected, double Limit)
{
    /// <summary>Whether theory says anything about the type.</summary>
    public bool HasTheory => Expected < 1;
}

/// <summary>Level 3: Y = X W^T with packed weights against FP32 products.</summary>
/// <param name="Tokens">Rows of X.</param>
/// <param name="ComputeDType">bfloat16 or float16: the dtype of X, of the decoded weights and of the result (LLM.int8(): of X and the result).</param>
/// <param name="TotalRelativeError">Against the original weights, relative RMSE over all elements of Y.</param>
/// <param name="KernelRelativeError">Against FP32 over what the kernel multiplies, relative RMSE.</param>
/// <param name="KernelBoundUse">Largest |kernel error| / derived bound over all elements; above 1 the kernel is wrong.</param>
/// <param name="ActivationRelativeError">Relative RMSE of the activations that the scheme itself quantizes; 0 where it does not.</param>
internal sealed record GemmError(
    int Tokens, string ComputeDType, double TotalRelativeError, double TotalSnrDb, double KernelRelativeError, double KernelBoundUse,
    double ActivationRelativeError = 0);

/// <summary>Distributions for the plots.</summary>
/// <param name="CodeUse">How often each of the 16 codes occurs; of 8-bit codes, how often each sixteenth of their range.</param>
/// <param name="ErrorCounts">
/// Counts of (decoded - source) / unit in equal bins over [-<see cref="ErrorRange"/>, <see cref="ErrorRange"/>], the unit being
/// absmax, absmax / <see cref="Int8Unit"/> for int8, and 7.5 scales for int4.
/// </param>
internal sealed record Histograms(IReadOnlyList<long> CodeUse, IReadOnlyList<long> ErrorCounts)
{
    public const double ErrorRange = 0.2;
    public const int ErrorBins = 40;
    public const int Int8Unit = 32;
}

/// <summary>One remark or reason to fail.</summary>
/// <param name="Rule">Stable identifier: code-diffs, absmax-diffs, rel-error, min-snr, kernel-error, gemm-error, plain-diff, plain-cast, config, policy, regression, structure, or a BNB rule.</param>
/// <param name="Text">Found and allowed, escaped for display.</param>
internal sealed record Finding(string Rule, string Text, bool Fails);
