using System.Text;
using Bnb.Cli.Errors;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Recipes;
using Bnb.Engine.Verifying;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Fuzzing;

/// <summary>
/// Changed recipes, policies, baselines, manifests, plans and journals: whatever is in them, reading gives a value or one of our
/// errors, and what is done with a value does not fail either.
/// </summary>
public sealed class EngineFuzzTests
{
    private const int Inputs = 10_000;
    private const int LongestMessage = 16_000;

    [Fact]
    public void Recipe_Changed_IsOptionsOrAnError() => Fuzz(
        20261301,
        FuzzSeeds.Recipes,
        input =>
        {
            foreach ((string key, IReadOnlyList<string> values) in Recipe.Parse(input, "/m/recipe.json").Options)
            {
                Assert.NotEmpty(Recipe.OptionOf(key));
                if (key == Recipe.OverridesKey) Assert.All(values, IsOverrideOrNone);
            }
        });

    [Fact]
    public void PolicyFile_Changed_HasLimitsOrIsAnError() => Fuzz(
        20261302,
        FuzzSeeds.Policies,
        input =>
        {
            PolicyFile policy = PolicyFile.Parse(input, "/m/policy.json");
            Thresholds limits = policy.For("model.layers.0.mlp.down_proj.weight");
            Assert.False(limits.MaxRelativeError is { } error && !double.IsFinite(error));
            _ = policy.Unmatched(["model.layers.0.mlp.down_proj.weight", "lm_head.weight"]);
        });

    [Fact]
    public void Baseline_Changed_IsOneOrAnError() => Fuzz(20261303, FuzzSeeds.Baselines, input => _ = Baseline.Parse(input, "/m/baseline.json"));

    [Fact]
    public void OutputManifest_Changed_CanBeWrittenAgainOrIsNone() => Fuzz(
        20261304,
        FuzzSeeds.Manifests,
        input =>
        {
            if (OutputManifest.Parse(input) is not { } manifest) return;
            _ = (manifest.Scale, manifest.CastTo, manifest.Variant);
            Assert.Equal(manifest.Files, OutputManifest.Parse(manifest.Write())!.Files);
            Assert.All(manifest.Files, file => Assert.StartsWith("/m/", Path.GetFullPath(Path.Combine("/m", file.Name)), StringComparison.Ordinal));
        });

    [Fact]
    public void PlanRecord_Changed_IsComparedWithOthersOrIsNone()
    {
        PlanRecord ours = PlanRecord.Parse(FuzzSeeds.Plans[0])!;
        Fuzz(
            20261305,
            FuzzSeeds.Plans,
            input =>
            {
                if (PlanRecord.Parse(input) is not { } plan) return;
                if (plan.Hash != ours.Hash) Assert.NotEmpty(ours.DifferencesFrom(plan));
                _ = plan.DifferencesFrom(ours);
            });
    }

    [Fact]
    public void Journal_Changed_CountsForNothingOrForWhatItSays() => Fuzz(
        20261306,
        FuzzSeeds.Journals,
        input =>
        {
            // Sealed anew, each line, or nothing but checksums would be tried.
            var journal = new JournalFolder();
            _ = journal.Take(Sealed(input));
            Assert.All(journal.Shards, shard => Assert.Equal(shard.Key, shard.Value.Name));
            _ = new JournalFolder().Take(input);
        });

    [Fact]
    public void ModelFacts_OfAChangedConfig_AreReadOrItIsAnError() => Fuzz(
        20261307,
        FuzzSeeds.Configs,
        input => _ = ModelFactsReader.Read(ModelConfig.Parse(input, "/m/config.json")));

    private static void IsOverrideOrNone(string text)
    {
        try
        {
            Assert.True(RecipeOverride.Parse(text) is { Pattern.Length: > 0 });
        }
        catch (FormatException)
        {
            // Said with the option's name by whoever asked.
        }
    }

    private static byte[] Sealed(byte[] lines)
    {
        var journal = new List<byte>();
        foreach (Range range in lines.AsSpan().Split((byte)'\n'))
        {
            ReadOnlySpan<byte> text = lines.AsSpan()[range].TrimEnd((byte)'}');
            journal.AddRange(text);
            journal.AddRange(Encoding.ASCII.GetBytes($",\"line\":\"{RunJournal.Checksum(text)}\"}}\n"));
        }

        return [.. journal];
    }

    private static void Fuzz(ulong seed, IReadOnlyList<byte[]> seeds, Action<byte[]> read) =>
        new FuzzRun(Inputs).Run(seeds, new JsonMutation(seed).Of, input => Outcome(() => read(input)));

    /// <summary>Name of the outcome; every exception but our own escapes.</summary>
    private static string Outcome(Action read)
    {
        try
        {
            read();
            return "read";
        }
        catch (CheckpointFormatException error)
        {
            return error.Message;
        }
        catch (UserErrorException error)
        {
            string text = ErrorReport.Text(error, "nothing was written");
            Assert.DoesNotContain(text, c => char.IsControl(c) && c != '\n');
            Assert.InRange(text.Length, 1, LongestMessage);
            return error.Code + string.Concat(error.Facts.Select(fact => fact.Value)) + error.Summary;
        }
    }
}
