using Bnb.Engine.Evaluating;
using Bnb.Engine.Events;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>Evaluations as the engine makes them, without a command.</summary>
internal static class EvaluationFigures
{
    public static EvaluationResult Of(EvaluationRequest request)
    {
        using var run = new EvaluationRun(EvaluationPlan.Make(request));
        return run.Execute(new PipelineProgress(run.WorkBytes), TestContext.Current.CancellationToken);
    }

    /// <summary>Asserts that a figure is within a share of what it should be.</summary>
    public static void Within(double share, double expected, double found, string what) =>
        Assert.True(Math.Abs(found - expected) <= share * Math.Abs(expected), $"{what}: expected {expected}, found {found}");
}
