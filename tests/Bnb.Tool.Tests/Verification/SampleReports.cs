using Bnb.Engine.Verifying;
using Bnb.Quant.Blockwise;

namespace Bnb.Tool.Tests.Verification;

/// <summary>Made-up verification results; nothing here was measured.</summary>
internal static class SampleReports
{
    /// <summary>Whatever a hostile header could try to put into a terminal, a web page, XML or Markdown.</summary>
    public static IReadOnlyList<string> HostileNames { get; } =
    [
        "a\u001b[31m\0\b.weight",
        "</td><script>alert(1)</script>\"' onload='x.weight",
        "| pipe ` tick *star* _under_ [link](http://x) @user <b>.weight",
        "lone\ud800surrogate\udc00.weight",
        "not\ufffe\uffffxml ]]> &amp; &#0;.weight",
        "\u202eright to left\u2028line\u0085next.weight",
        "\U0001F600 \U000E0001 astral.weight",
        new string('x', 70_000) + ".weight",
        "",
        "www.example.invalid/{0}/{model.weight",
    ];

    private static readonly (string Name, int Rows, int Columns)[] Modules =
    [
        ("self_attn.q_proj", 4096, 4096), ("self_attn.k_proj", 4096, 4096), ("self_attn.v_proj", 4096, 4096), ("self_attn.o_proj", 4096, 4096),
        ("mlp.gate_proj", 11008, 4096), ("mlp.up_proj", 11008, 4096), ("mlp.down_proj", 4096, 11008),
    ];

    public static VerificationReport Of(params IReadOnlyList<LayerResult> layers) => new(
        "out/model-nf4", "models/model", "v256", 42, null, layers.Count, layers, [], 67, 0, 12.345);

    /// <summary>A faithful layer as theory expects it.</summary>
    public static LayerResult Layer(string name = "model.layers.0.mlp.up_proj.weight", double error = 0.0920, params IReadOnlyList<Finding> findings) => new(
        name, "nf4", 64, true, null, 4096, 11008,
        new Faithfulness(45_088_768, 0, 3, 704_512, 0, 0, 0, -1, null),
        new WeightError(error, -20 * Math.Log10(error), 0.0123456789012345, 0.9957, 0.0920, 0.1380),
        new GemmError(64, "bfloat16", error * 0.998, 20.7, 0.00236, 0.31),
        new Histograms([.. Enumerable.Range(1, 16)], [.. Enumerable.Range(0, 40)]),
        findings);

    /// <summary>The same as int8 and as int4, whose layers have other members.</summary>
    public static IReadOnlyList<LayerResult> IntegerLayers { get; } =
    [
        Layer("int8.weight", 0.0073) with { QuantType = "int8", Blocksize = null, DoubleQuant = false, Gemm = new GemmError(64, "float16", 0.0102, 39.8, 0.0004, 0.02, 0.0071) },
        Layer("symmetric.weight", 0.109) with { QuantType = "int4", Blocksize = 128, DoubleQuant = false, Symmetric = true },
        Layer("asymmetric.weight", 0.094) with { QuantType = "int4", Blocksize = 32, DoubleQuant = false, Symmetric = false },
    ];

    public static LayerResult WithError(this LayerResult layer, double error) =>
        layer with { Weight = layer.Weight with { RelativeRmse = error } };

    public static LayerResult WithCodesDiffering(this LayerResult layer, long count) =>
        layer with { Faithfulness = layer.Faithfulness with { CodesDiffering = count, FirstDifference = 5, Cause = "damaged" } };

    public static Finding Failure(string text = "12.34 % found, 11.04 % allowed") => new("rel-error", text, true);

    /// <summary>Every number that JSON and charts have no place for.</summary>
    public static LayerResult NotFinite(string name, double value) => Layer(name) with
    {
        Weight = new WeightError(value, value, value, value, value, value),
        Gemm = new GemmError(1, "float16", value, value, value, value),
    };

    /// <summary>A model of 32 blocks, quantized without fault but for what the arguments ask for.</summary>
    public static VerificationReport Model(bool damaged, string quantType = "nf4", int blocks = 32)
    {
        var random = new Random(7);
        (long[] codes, long[] errors, double error) = Simulate(quantType, random);
        List<LayerResult> layers = [];
        for (int block = 0; block < blocks; block++)
        {
            foreach ((string module, int rows, int columns) in Modules)
            {
                // Early attention layers have heavier tails, as in real models.
                double tail = module.StartsWith("self", StringComparison.Ordinal) ? 0.0035 * Math.Exp(-block / 4.0) : 0.0004;
                double own = error + tail + 0.0004 * (random.NextDouble() - 0.3);
                LayerResult layer = Layer($"model.layers.{block}.{module}.weight", own) with
                {
                    QuantType = quantType,
                    Rows = rows,
                    Columns = columns,
                    Histograms = new Histograms(codes, errors),
                };
                long count = (long)rows * columns;
                double product = own * (1 + 0.02 * (random.NextDouble() - 0.5));
                layers.Add(layer with
                {
                    Faithfulness = new Faithfulness(count, 0, random.Next(4), count / 64, 0, 0, 0, -1, null),
                    Weight = layer.Weight with { Expected = error, Limit = error * 1.1 },
                    Gemm = new GemmError(64, "bfloat16", product, -20 * Math.Log10(product), 0.00236 + 0.00002 * random.NextDouble(), 0.2 + 0.1 * random.NextDouble()),
                });
            }
        }

        return damaged ? Damage(Of(layers)) : Of(layers);
    }

    private static VerificationReport Damage(VerificationReport report)
    {
        List<LayerResult> layers = [.. report.Layers];
        layers[40] = layers[40].WithCodesDiffering(1_234_567).WithError(1.4142) with
        {
            Gemm = layers[40].Gemm! with { TotalRelativeError = 1.41, TotalSnrDb = -2.9 },
            Findings =
            [
                new Finding("code-diffs", "1,234,567 of 16,777,216 codes differ, 0 allowed; looks like wrong-source", true),
                new Finding("rel-error", "141.42 % found, 10.12 % allowed", true),
            ],
        };
        layers[101] = layers[101].WithError(0.1077) with { Findings = [new Finding("rel-error", "10.77 % found, 10.12 % allowed", true)] };
        layers[7] = layers[7] with { Findings = [new Finding("regression", "product not run, the baseline has one", false)] };
        return report with
        {
            Layers = layers,
            Findings = [new Finding("structure", "model.norm.weight is missing", true), new Finding("structure", "tokenizer.json was not compared", false)],
            PlainDiffering = 1,
        };
    }

    private static (long[] Codes, long[] Errors, double Error) Simulate(string quantType, Random random)
    {
        float[] values = Code4Catalog.ByName(quantType).Values.ToArray();
        var codes = new long[16];
        var errors = new long[Histograms.ErrorBins];
        double lost = 0, whole = 0;
        for (int block = 0; block < 1000; block++)
        {
            double[] weights = [.. Enumerable.Range(0, 64).Select(_ =>
                Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
            double absmax = weights.Max(Math.Abs);
            foreach (double weight in weights)
            {
                int code = Enumerable.Range(0, 16).MinBy(i => Math.Abs(values[i] - weight / absmax));
                double difference = values[code] - weight / absmax;
                codes[code] += 1000;
                errors[Math.Clamp((int)((difference / Histograms.ErrorRange + 1) * Histograms.ErrorBins / 2), 0, Histograms.ErrorBins - 1)] += 1000;
                lost += difference * difference * absmax * absmax;
                whole += weight * weight;
            }
        }

        return (codes, errors, Math.Sqrt(lost / whole));
    }
}
