using System.Diagnostics;
using Bnb.Engine.Devices;
using Bnb.Engine.Events;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Comparing;

/// <summary>One comparison from start to end: plan, read both sides chunk by chunk, add up.</summary>
internal static class DiffRun
{
    public static DiffSummary Execute(DiffRequest request, IRunEvents events, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        using var engine = new CpuEngine(request.KernelPath ?? KernelChoice.Selected());
        DiffPlan plan = DiffPlan.Make(request);
        foreach (string note in plan.Models.SelectMany(static model => model.Notes)) events.Warning(DisplayText.Escape(note));
        MemoryBudget budget = MemoryBudget.Divide(plan.Needs(), request.Threads, request.MaxMemoryBytes, engine.PreferredChunkValues);
        List<PairState> states = [.. plan.Pairs.Select(pair => new PairState(pair, budget))];
        var progress = new PipelineProgress(plan.Pairs.Sum(BytesOf));
        using (events.Watch(progress))
        {
            Pass([.. states.Where(state => state.HasWork)], PairPass.First);
            Pass([.. states.Where(state => state.Unmeasured().Any())], PairPass.Second);
        }

        foreach (CheckpointFile file in plan.Models.SelectMany(static model => model.Files)) InputCheck.ThrowIfChanged(file);
        IEnumerable<WeightDiff> all = plan.Single.Concat(states.Select(state => state.Result()));
        return new DiffSummary(
            request, [.. all.OrderBy(weight => weight.Name, StringComparer.Ordinal)], plan.Config, plan.Metadata, watch.Elapsed);

        void Pass(IReadOnlyList<PairState> chosen, Func<PairState, PassContext, PairPass> newPass)
        {
            using var source = new TensorSource(
                chosen.SelectMany(state => state.Pair.A.Parts.Concat(state.Pair.B.Parts)).Select(part => part.File));
            var shared = new PassContext(source, budget, engine, progress);
            List<PairPass> passes = [.. chosen.Select(state => newPass(state, shared))];
            try
            {
                WorkQueue.Run(
                    passes.SelectMany(pass => pass.Items.Select(item => (Pass: pass, Item: item))),
                    budget.Workers,
                    () => new PairBuffers(budget),
                    (work, buffers) => work.Pass.Process(work.Item, buffers),
                    cancellation);
            }
            finally
            {
                foreach (PairPass pass in passes) pass.Dispose();
            }
        }
    }

    private static long BytesOf(DiffPair pair) => pair.Content == PairContent.Nothing ? 0 : pair.A.ByteCount + pair.B.ByteCount;
}
