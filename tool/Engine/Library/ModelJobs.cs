using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Sources;
using Bnb.Engine.Verifying;
using Bnb.Formats.Primitives;
using Bnb.Quant.Blockwise;

namespace Bnb.Engine.Library;

/// <summary>The jobs of the command line for .NET programs. Paths may be ids of models in the local Hugging Face cache.</summary>
public static class ModelJobs
{
    /// <summary>Quantizes a checkpoint into a new folder; nothing half-written is left, however it ends.</summary>
    /// <param name="source">Folder, file, or a model's id.</param>
    /// <param name="output">The folder to create.</param>
    /// <param name="choices">Null: nf4 in blocks of 64 with double quantization.</param>
    /// <param name="events">Gets warnings and progress; null for none.</param>
    /// <param name="cancellation">Stops between two chunks of work.</param>
    /// <exception cref="EngineException">The options, the source or the output do not allow it.</exception>
    /// <exception cref="CheckpointFormatException">A file breaks a rule of its format.</exception>
    /// <exception cref="IOException">The device reported an error.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static QuantizeOutcome Quantize(
        string source, string output, QuantizeChoices? choices = null, IRunEvents? events = null, CancellationToken cancellation = default) => Guarded(() =>
    {
        choices ??= new QuantizeChoices();
        var request = new QuantizeRequest
        {
            SourcePath = SourceLocator.FromEnvironment().LocateWhole(source).Path,
            OutputPath = output,
            Recipe = Recipe(choices),
            Overwrite = choices.Overwrite,
            MaxMemoryBytes = choices.MaxMemoryBytes,
        };
        IReadOnlyList<QuantizeSummary> models = QuantizeRun.ExecuteAll(request, events ?? NoEvents.Instance, cancellation);
        int quantized = models.Sum(model => model.Plan.Tensors.Count(tensor => tensor.Quantization is not null));
        long parameters = models.Sum(model => model.Plan.ParameterCount);
        return new QuantizeOutcome(
            quantized,
            models.Sum(model => model.Plan.Tensors.Count) - quantized,
            models.Sum(model => model.Plan.SourceFileBytes),
            models.Sum(model => model.OutputFileBytes),
            parameters == 0 ? 0 : models.Sum(model => model.OutputTensorBytes) * 8.0 / parameters);
    });

    /// <summary>Compares a quantized checkpoint, code by code, with what its source makes.</summary>
    /// <param name="quantized">Folder, file, or a model's id.</param>
    /// <param name="source">What it was made from.</param>
    /// <param name="events">Gets warnings and progress; null for none.</param>
    /// <param name="cancellation">Stops between two panels of work.</param>
    /// <exception cref="EngineException">It cannot be verified.</exception>
    /// <exception cref="CheckpointFormatException">A file breaks a rule of its format.</exception>
    /// <exception cref="IOException">The device reported an error.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static VerifyOutcome Verify(string quantized, string source, IRunEvents? events = null, CancellationToken cancellation = default) => Guarded(() =>
    {
        SourceLocator locator = SourceLocator.FromEnvironment();
        var request = new VerifyRequest { QuantizedPath = locator.Locate(quantized).Path, SourcePath = locator.Locate(source).Path };
        VerificationReport report = VerifyRun.Execute(request, events ?? NoEvents.Instance, cancellation);
        IEnumerable<Finding> findings = report.Findings.Concat(report.Layers.SelectMany(layer => layer.Findings)).OrderByDescending(finding => finding.Fails);
        return new VerifyOutcome(report.Passed, report.Layers.Count, report.Codes, report.CodesDiffering, [.. findings.Select(finding => finding.Text)]);
    });

    private static QuantizeRecipe Recipe(QuantizeChoices choices) => choices.Type switch
    {
        QuantizedType.Nf4 => new Blockwise4Recipe(Code4Catalog.Nf4, BlockSize(choices), choices.DoubleQuant, DType.U8),
        QuantizedType.Fp4 => new Blockwise4Recipe(Code4Catalog.Fp4, BlockSize(choices), choices.DoubleQuant, DType.U8),
        QuantizedType.Int8 => new Int8Recipe(Int8Recipe.DefaultThreshold),
        QuantizedType.Int4 => new Int4Recipe(Int4Recipe.DefaultGroupSize, Symmetric: true),
        _ => throw new ArgumentOutOfRangeException(nameof(choices), choices.Type, null),
    };

    private static int BlockSize(QuantizeChoices choices) => choices.BlockSize is >= 32 and <= 4096 && int.IsPow2(choices.BlockSize)
        ? choices.BlockSize
        : throw new ArgumentOutOfRangeException(nameof(choices), choices.BlockSize, "a block size is a power of two from 32 to 4096");

    /// <summary>The engine's own exceptions are not public, so that they can change.</summary>
    private static T Guarded<T>(Func<T> job)
    {
        try
        {
            return job();
        }
        catch (UserErrorException refused)
        {
            throw new EngineException(refused.Code, refused.Summary, refused.Action, refused);
        }
        catch (PolicyException refused)
        {
            throw new EngineException(refused.Code, refused.Summary, refused.Action, refused);
        }
    }
}
