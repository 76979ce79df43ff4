using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;

namespace Bnb.Tool.Tests.Architectures;

/// <summary>A checkpoint with all tensors that the atlas has for a class, in layers 0, 1 and 10 with two experts each.</summary>
internal sealed class AtlasCheckpoint
{
    private static readonly string[] First = ["0", "1", "10"];
    private static readonly string[] Second = ["0", "1"];

    public AtlasCheckpoint(ModelClass model)
    {
        Model = model;
        Facts = model.ModelType is null
            ? new ModelFacts(null, [model.Name], false, false, null, []) { Identity = new ModelIdentity(null, model.Name, [], []) }
            : new ModelFacts(model.ModelType, [model.Name], false, false, null, []);
        foreach ((string pattern, SavedTensor facts) in model.Tensors)
            foreach (IReadOnlyList<string> numbers in Numbers(pattern.Count(static value => value == '*')))
                Tensors.Add((Make(NumberedName.Fill(pattern, numbers)), facts, numbers));
    }

    public ModelClass Model { get; }

    public ModelFacts Facts { get; }

    public List<(PolicyTensor Tensor, SavedTensor Facts, IReadOnlyList<string> Numbers)> Tensors { get; } = [];

    public static IEnumerable<ModelClass> Classes(AtlasSection section) =>
        Atlas.Embedded.Names(section).Select(name => Atlas.Embedded.Class(section, name)!);

    public PolicyResult Decide(PolicyTarget target, ExpertChoice experts = ExpertChoice.Pack) => QuantizationPolicy.Decide(
        [.. Tensors.Select(static item => item.Tensor)],
        Facts,
        new PolicyOptions(64, false, false, [], target) { Experts = experts });

    /// <summary>The module in memory that <paramref name="index"/> is for the class's loader <paramref name="loader"/>.</summary>
    public string MemoryModule(int index, int loader)
    {
        (PolicyTensor tensor, SavedTensor facts, IReadOnlyList<string> numbers) = Tensors[index];
        string name = facts.MemoryNames[loader] is string pattern ? NumberedName.Fill(pattern, numbers) : tensor.Name;
        return name.EndsWith(".weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name;
    }

    // All look like matrices: the policy must know by name which are not.
    private static PolicyTensor Make(string name) => new(name, [64, 64], IsFloat: true, 8192);

    private static IEnumerable<IReadOnlyList<string>> Numbers(int count)
    {
        string[] rest = [.. Enumerable.Repeat("0", Math.Max(0, count - 2))];
        return count switch
        {
            0 => [[]],
            1 => First.Select(static first => new[] { first }),
            _ => First.SelectMany(first => Second.Select(second => (string[])[first, second, .. rest])),
        };
    }
}
