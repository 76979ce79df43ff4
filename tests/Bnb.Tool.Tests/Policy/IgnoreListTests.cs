using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class IgnoreListTests
{
    private const string Layer = "model.layers.0.self_attn.";

    private static readonly string[] Entries =
    [
        "a", "a.q_proj", "a.k_proj", "a.v_proj", "a.qkv_proj", "b.gate_proj", "b.up_proj", "b.gate_up_proj", "a.experts.0.gate_proj",
        "a.experts.0.up_proj", "a.experts.0.down_proj", "a.experts", "Linear", "Module", "linear", "re:a", "re:.*up_proj", "re:.*near",
        "re:Lin", "re:a\\.experts", "re:a\\.[qkv]_proj$", "qkv_proj.q_proj", "q_proj.q_proj", "k_proj.k_proj", "v_proj.v_proj",
    ];

    private static readonly string[] Names =
    [
        "a", "a.q_proj", "a.k_proj", "a.qkv_proj", "b.gate_proj", "b.up_proj", "a.experts.0.up_proj", "a.experts.12.w1", "a.experts.x",
        "experts.0.w1", "Linear", "near", "qkv_proj.q_proj", "q_proj", "c",
    ];

    // entry, module, then compressed-tensors, its 0.10, vLLM 0.6, vLLM, the lenient vLLM: q(uantized), i(gnored), r(efused).
    [Theory]
    [InlineData("lm_head", "lm_head", "iiiii")]
    [InlineData("lm_head", "language_model.lm_head", "qqqqq")]
    [InlineData("model.layers.0", "model.layers.0.mlp.down_proj", "qqqqq")]
    [InlineData("re:.*down_proj", "model.layers.0.mlp.down_proj", "iiiii")]
    [InlineData("re:down_proj", "model.layers.0.mlp.down_proj", "qqqqq")]
    [InlineData("re:model.layers.1", "model.layers.10.mlp.down_proj", "iiiii")]
    [InlineData("Linear", "model.layers.0.mlp.down_proj", "iiqqq")]
    [InlineData("Module", "model.layers.0.mlp.down_proj", "iqqqq")]
    [InlineData("linear", "model.layers.0.mlp.down_proj", "qqqqq")]
    [InlineData("re:L", "model.layers.0.mlp.down_proj", "qiqqq")]
    [InlineData(Layer + "q_proj", Layer + "q_proj", "iirri")]
    [InlineData(Layer + "q_proj", Layer + "k_proj", "qqrri")]
    [InlineData(Layer + "qkv_proj", Layer + "q_proj", "qqqii")]
    [InlineData("re:.*[qkv]_proj", Layer + "q_proj", "iiiii")]
    [InlineData("m.experts.1.gate_proj", "m.experts.1.gate_proj", "iiqqq")]
    [InlineData("m.experts.0.gate_proj", "m.experts.1.gate_proj", "qqrrr")]
    [InlineData("re:.*experts", "m.experts.1.w1", "iiiii")]
    [InlineData("m.experts", "m.experts.1.w1", "qqqqq")]
    [InlineData("m.shared_experts.gate_proj", "m.shared_experts.gate_proj", "iirri")]
    public void Ask_OneEntry_AnswersAsTheReadersDo(string entry, string module, string expected)
    {
        var list = new IgnoreList([entry], FusedGroups.Usual);

        Assert.Equal(expected, string.Concat(Enum.GetValues<IgnoreReader>().Select(reader => Letter(list.Ask(reader, module)))));
        Assert.Equal(expected, string.Concat(NaiveIgnoreReaders.All.Values.Select(naive => naive([entry], module)[0])));
    }

    [Fact]
    public void Ask_RandomEntriesAndNames_EqualsTheNaiveReaders()
    {
        var random = new Random(20261121);
        HashSet<string> answers = [];
        for (int round = 0; round < 4000; round++)
        {
            string[] entries = [.. Enumerable.Range(0, random.Next(0, 6)).Select(_ => Entries[random.Next(Entries.Length)])];
            var list = new IgnoreList(entries, FusedGroups.Usual);
            foreach (string name in Names)
            {
                foreach (IgnoreReader reader in Enum.GetValues<IgnoreReader>())
                {
                    string expected = NaiveIgnoreReaders.All[reader.ToString()](entries, name);
                    Assert.True(
                        expected[0] == Letter(list.Ask(reader, name)), $"{reader} on {name}, [{string.Join(", ", entries)}]: {expected}");
                    answers.Add(reader + expected);
                }
            }
        }

        // Three answers of the strict vLLMs and of the lenient one (experts), two of compressed-tensors.
        Assert.Equal(13, answers.Count);
    }

    [Fact]
    public void Run_ListThatFits_IsEmpty() => Assert.Empty(IgnoreAudit.Run(["lm_head", "a.q_proj", "a.k_proj", "a.v_proj"], FusedGroups.Usual, ["a.o_proj", "b.gate_proj", "b.up_proj"], ["lm_head", "a.q_proj", "a.k_proj", "a.v_proj"]));

    [Fact]
    public void Run_ClassName_IsSeenByTheReadersThatKnowClasses()
    {
        IReadOnlyList<IgnoreDisagreement> found = IgnoreAudit.Run(["Linear", "lm_head"], FusedGroups.Usual, ["b", "a"], ["lm_head"]);

        Assert.Equal(
            [
                new IgnoreDisagreement(IgnoreReader.CompressedTensors, IgnoreProblem.IgnoresQuantized, 2, "a"),
                new IgnoreDisagreement(IgnoreReader.CompressedTensors10, IgnoreProblem.IgnoresQuantized, 2, "a"),
            ],
            found);
    }

    [Fact]
    public void Run_HalfAFusedLayer_IsRefusedOrTakenWhole()
    {
        IReadOnlyList<IgnoreDisagreement> found = IgnoreAudit.Run(["m.gate_proj"], FusedGroups.Usual, ["m.up_proj"], ["m.gate_proj"]);

        Assert.Equal(
            [
                new IgnoreDisagreement(IgnoreReader.Vllm06, IgnoreProblem.Refuses, 2, "m.gate_proj"),
                new IgnoreDisagreement(IgnoreReader.Vllm, IgnoreProblem.Refuses, 2, "m.gate_proj"),
                new IgnoreDisagreement(IgnoreReader.VllmLenient, IgnoreProblem.IgnoresQuantized, 1, "m.up_proj"),
            ],
            found);
    }

    [Fact]
    public void Run_MissingEntry_IsMissedByAll()
    {
        IReadOnlyList<IgnoreDisagreement> found = IgnoreAudit.Run([], FusedGroups.Usual, ["a"], ["c", "b"]);

        Assert.Equal(Enum.GetValues<IgnoreReader>().Select(static reader => (IgnoreReader?)reader), found.Select(static item => item.Reader));
        Assert.All(found, static item => Assert.Equal((IgnoreProblem.MissesPlain, 2, "b"), (item.Problem, item.Count, item.First)));
    }

    [Theory]
    [InlineData("re:(")]
    [InlineData("re:(?!a).*")]
    [InlineData("re:(a)\\1")]
    public void Run_RegexThatCannotBeRun_IsNamed(string entry) => Assert.Equal(
        [new IgnoreDisagreement(null, IgnoreProblem.Unreadable, 1, entry)], IgnoreAudit.Run([entry], FusedGroups.Usual, ["b"], []));

    [Theory]
    [InlineData("lm_head", true)]
    [InlineData("model.layers.0.Wqkv", true)]
    [InlineData("model.re:x", true)]
    [InlineData("re:x", false)]
    [InlineData("re:", false)]
    [InlineData("Linear", false)]
    [InlineData("Llama4Router", false)]
    [InlineData("", false)]
    [InlineData("a\n", false)]
    [InlineData("a.\ud83d\ude00", false)]
    public void IsUsable_Name_IsTrueOnlyForOneModule(string name, bool expected) => Assert.Equal(expected, IgnoreEntry.IsUsable(name));

    private static char Letter(IgnoreAnswer answer) => char.ToLowerInvariant(answer.ToString()[0]);
}
