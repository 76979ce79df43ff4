using Bnb.Engine.Output;
using Bnb.Engine.Policy;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Comparing;

/// <summary>A model on both sides: all there is, or a component of two pipelines.</summary>
/// <param name="Prefix">What the names of its tensors begin with: nothing, or the component's folder with a slash.</param>
/// <param name="A">Null when only B has the component.</param>
/// <param name="B">Null when only A has the component.</param>
internal sealed record DiffSides(string Prefix, Checkpoint? A, Checkpoint? B)
{
    /// <summary>Its weight files on both sides.</summary>
    public IEnumerable<CheckpointFile> Files => (A?.Files ?? []).Concat(B?.Files ?? []);

    /// <summary>What is odd about its files, with the component's name before it.</summary>
    public IEnumerable<string> Notes => (A?.Notes ?? []).Concat(B?.Notes ?? []).Select(note => Prefix + note);

    /// <summary>The tensors of a side that is not quantized, by whose biases the layout of an unknown class is told; null when both are.</summary>
    public IReadOnlyList<PolicyTensor>? Original =>
        (IsPlain(A) ? A : IsPlain(B) ? B : null)?.Tensors.Select(static tensor => new PolicyTensor(tensor.Name, tensor.Shape.Dimensions, true, tensor.ByteCount)).ToList();

    /// <summary>Whether a side's manifest says that the model uses Conv1D.</summary>
    public bool RecordsConv1D => new[] { A, B }.OfType<Checkpoint>().Any(static side => OutputManifest.RecordsConv1D(side.Folder));

    /// <summary>The models of two paths: one of each, or the components of two pipelines by their names.</summary>
    /// <param name="index">What differs in the files that name the components; null where there are none.</param>
    public static IReadOnlyList<DiffSides> Of(DiffRequest request, out TextDiff? index)
    {
        index = null;
        // A pipeline and a model have nothing in common: opening the former as a model says which folder to give.
        if (!PipelineFolder.IsAt(request.PathA) || !PipelineFolder.IsAt(request.PathB)) return [new DiffSides("", Open(request.PathA), Open(request.PathB))];
        PipelineFolder a = PipelineFolder.Open(request.PathA, followSymlinks: true, variant: null);
        PipelineFolder b = PipelineFolder.Open(request.PathB, followSymlinks: true, variant: null);
        index = TextDiff.OfConfigs(a.Index, b.Index);
        return
        [
            .. a.Components.Concat(b.Components).Select(static component => component.Name).Distinct()
                .Select(name => new DiffSides(name + "/", Find(a, name), Find(b, name))),
        ];
    }

    private static bool IsPlain(Checkpoint? side) => side is not null && QuantizedSource.Find(side) is null;

    private static Checkpoint? Find(PipelineFolder pipeline, string name) =>
        pipeline.Components.FirstOrDefault(component => component.Name == name)?.Checkpoint;

    private static Checkpoint Open(string path) => Checkpoint.Open(path, requireConfig: false, followSymlinks: true);
}
