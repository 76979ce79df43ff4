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

    private static Checkpoint? Find(PipelineFolder pipeline, string name) =>
        pipeline.Components.FirstOrDefault(component => component.Name == name)?.Checkpoint;

    private static Checkpoint Open(string path) => Checkpoint.Open(path, requireConfig: false, followSymlinks: true);
}
