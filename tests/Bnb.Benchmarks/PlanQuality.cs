using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Events;
using Bnb.Engine.Planning;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Formats.Primitives;
using Bnb.Quant.Blockwise;

namespace Bnb.Benchmarks;

/// <summary>
/// What <c>plan</c> makes of the bytes that one form for all tensors takes: on the model of tests/golden/trained, whose tensors are much
/// alike, and on the same model with two tensors planted that need more bits.
/// </summary>
internal static class PlanQuality
{
    private static readonly string[] Planted = ["model.layers.2.self_attn.o_proj.weight", "model.layers.4.self_attn.o_proj.weight"];

    public static string Table()
    {
        string folder = Directory.CreateTempSubdirectory("bnb-plan-").FullName;
        try
        {
            string planted = Path.Combine(folder, "planted");
            WritePlanted(planted);
            var text = new StringBuilder();
            text.AppendLine("| model | one form for all | bits per parameter | relative MSE | planned in as many bytes | relative MSE | less |");
            text.AppendLine("|---|---|---:|---:|---|---:|---:|");
            foreach ((string name, string source) in ((string, string)[])[("trained", Golden.File("trained")), ("with two planted tensors", planted)])
            {
                text.Append(Row(name, source, "nf4 32", new Blockwise4Recipe(Code4Catalog.Nf4, 64, DoubleQuant: false, DType.U8), 32));
                text.Append(Row(name, source, "int4 64", new Int4Recipe(64, Symmetric: true) { Scale = ScaleRule.Search }, 64));
            }

            return text.ToString();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Row(string model, string source, string form, QuantizeRecipe recipe, int uniformSize)
    {
        QuantizeRecipe uniform = recipe is Blockwise4Recipe blocks ? blocks.WithBlocksize(uniformSize) : recipe;
        PlanSummary all = Plan(source, uniform, long.MaxValue / 16);
        PlanSummary planned = Plan(source, recipe, all.Uniform.Bytes);
        double before = all.Uniform.Error * all.Uniform.Error, after = planned.ExpectedError * planned.ExpectedError;
        IEnumerable<string> forms = planned.Overrides.GroupBy(rule => rule.Form).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => $"{group.Count()} {group.Key}");
        string chosen = planned.Overrides.Count == 0 ? "the same" : string.Join(", ", [.. forms, $"the rest {recipe.Type}/{recipe.Blocksize}"]);
        return string.Create(CultureInfo.InvariantCulture, $"| {model} | {form}{(recipe.Scale == ScaleRule.Search ? " search" : "")} | {Bits(source, uniform):F3} | {before:F6} | {chosen} | {after:F6} | {100 * (1 - (after / before)):F1} % |\n");
    }

    private static PlanSummary Plan(string source, QuantizeRecipe recipe, long bytes) => PlanRun.Execute(
        new PlanRequest
        {
            Quantize = new QuantizeRequest { SourcePath = source, OutputPath = null, Recipe = recipe },
            TargetBytes = bytes,
        },
        NoEvents.Instance, CancellationToken.None);

    private static double Bits(string source, QuantizeRecipe recipe) => QuantizeRun.Execute(
        new QuantizeRequest { SourcePath = source, OutputPath = null, Recipe = recipe, DryRun = true }, NoEvents.Instance, CancellationToken.None).BitsPerParameter;

    private static void WritePlanted(string folder)
    {
        GoldenTensors source = GoldenTensors.Load("trained", "model.safetensors");
        CheckpointBuilder.SingleFile(
            folder,
            source.Names.Select(name => new TestTensor(name, source.Dtype(name), source.Shape(name), Planted.Contains(name) ? Peaked(source.Bytes(name)) : source.Bytes(name))),
            File.ReadAllText(Golden.File("trained", "config.json")));
    }

    /// <summary>Of each 64 bfloat16 values the first becomes 1 and the others plus or minus 0.038, which is below half of nf4's smallest step.</summary>
    private static byte[] Peaked(byte[] values)
    {
        Span<ushort> words = MemoryMarshal.Cast<byte, ushort>(values.AsSpan());
        for (int i = 0; i < words.Length; i++) words[i] = (ushort)(i % 64 == 0 ? 0x3f80 : i % 2 == 0 ? 0x3d1c : 0xbd1c);
        return values;
    }
}
