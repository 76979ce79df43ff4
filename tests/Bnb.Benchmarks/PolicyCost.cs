using System.Diagnostics;
using System.Globalization;
using System.Text;
using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.HuggingFace;

namespace Bnb.Benchmarks;

/// <summary>
/// What decisions and skip list cost on a header of a real size, and what the atlas costs a run. Processor time of this
/// process, because it depends less on what else the machine does.
/// </summary>
internal static class PolicyCost
{
    private const int Rounds = 7, Rows = 2048, Columns = 7168;

    public static int Run(string[] arguments)
    {
        int wanted = arguments is [var count, ..] ? int.Parse(count, CultureInfo.InvariantCulture) : 91_500;
        ExpertCheckpoint sample = ExpertCheckpoint.Of(wanted);
        // Shapes as they are in the real model: whether a width is a multiple of a group decides much.
        PolicyTensor[] tensors = [.. sample.Names().Select(tensor => new PolicyTensor(
            tensor.Name, tensor.Shape.Length == 2 ? [Rows, Columns] : [Columns], IsFloat: true, 2L * Rows * Columns))];
        ModelFacts facts = ModelFactsReader.Read(ModelConfig.Parse(Encoding.UTF8.GetBytes(sample.Config), "config.json"));

        var text = new StringBuilder(Machine.Header("Decisions and skip list"));
        text.AppendLine(CultureInfo.InvariantCulture, $"{tensors.Length:N0} tensors named as DeepSeek-V3 names them, all decisions and the list that loaders get. Processor time of the process; first: with compiling the code, as in a run of the program that was not compiled ahead; then the median of {Rounds}. The numbers before them are how many tensors are quantized and how long the list is.");
        text.AppendLine();
        text.AppendLine("| type | quantized | entries | first | then | allocated |");
        text.AppendLine("|---|---:|---:|---:|---:|---:|");
        foreach ((string name, int block, PolicyTarget target) in new[] { ("nf4", 64, PolicyTarget.Bnb4), ("int8", 1, PolicyTarget.Bnb8), ("int4", 128, PolicyTarget.CompressedTensors) })
        {
            var options = new PolicyOptions(block, false, false, [], target);
            PolicyResult? result = null;
            (double first, double then, long bytes) = Cost(() => result = QuantizationPolicy.Decide(tensors, facts, options));
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {result!.Decisions.Count(decision => decision.Action == TensorAction.Quantize):N0} | {result.SkipModules.Count} | {first:F0} ms | {then:F0} ms | {bytes / 1e6:F0} MB |");
        }

        (double opened, double again, long used) = Cost(() => _ = new Atlas(AtlasFile.OpenEmbedded()).Class(AtlasSection.Transformers, "DeepseekV3ForCausalLM"));
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"The atlas, opened and asked for one class: first {opened:F1} ms, then {again:F1} ms, {used / 1e3:F0} kB allocated.");
        Machine.Save("policy.md", text.ToString());
        return 0;
    }

    private static (double First, double Then, long Bytes) Cost(Action work)
    {
        double first = Milliseconds(work);
        double[] then = [.. Enumerable.Range(0, Rounds).Select(_ => Milliseconds(work)).Order()];
        long before = GC.GetTotalAllocatedBytes(precise: true);
        work();
        return (first, then[Rounds / 2], GC.GetTotalAllocatedBytes(precise: true) - before);
    }

    private static double Milliseconds(Action work)
    {
        using var own = Process.GetCurrentProcess();
        TimeSpan before = own.TotalProcessorTime;
        work();
        own.Refresh();
        return (own.TotalProcessorTime - before).TotalMilliseconds;
    }
}
