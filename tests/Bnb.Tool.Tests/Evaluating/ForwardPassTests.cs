using Bnb.Engine.Evaluating.Operators;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>The forward pass against transformers 5.23 in float32, model by model.</summary>
public class ForwardPassTests
{
    /// <summary>Of the largest value: what a different order of float32 sums leaves.</summary>
    private const double Tolerance = 1e-4;

    public static TheoryData<string> Models => [.. GoldenModel.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void Run_GoldenModel_GivesTheStatesAndLogitsOfTransformers(string name)
    {
        var golden = new GoldenModel(name);
        var errors = new SortedDictionary<string, double>(StringComparer.Ordinal);

        TokenMatrix logits = golden.Run(
            GoldenModel.Options(), (state, hidden) => errors[$"hidden_states.{state}"] = golden.LargestError($"hidden_states.{state}", hidden));

        errors["logits"] = golden.LargestError("logits", logits);
        Assert.Equal(golden.States + 1, errors.Count);
        Assert.All(errors, error => Assert.True(error.Value <= Tolerance, $"{name} {error.Key}: {error.Value:e2}; all: {string.Join(", ", errors)}"));
    }
}
