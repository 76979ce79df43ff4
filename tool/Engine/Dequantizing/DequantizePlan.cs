using System.Text.Json;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Dequantizing;

/// <summary>Everything a dequantization will do, decided from headers and quant_state blobs; nothing has been created yet.</summary>
internal sealed record DequantizePlan(
    Checkpoint Source, IReadOnlyList<TensorPlan> Tensors, IReadOnlyList<ShardPlan> Shards, byte[]? ConfigBytes)
    : OutputPlan(Tensors, Shards)
{
    public override string Command => "dequantize";

    public override IReadOnlyList<OutputPart> Parts => [new OutputPart(Component is null ? "" : Component + "/", Source, Shards, ConfigBytes)];

    /// <summary>The component of a pipeline that it makes; null for a model by itself.</summary>
    public string? Component { get; private init; }

    public override SideFileList SideFiles => Source.SideFiles;

    public required DequantizeRequest Request { get; init; }

    /// <summary>Weights of an unknown class that are written as linear layers and, by their names, may have been Conv1D.</summary>
    public IReadOnlyList<string> DoubtfulLayouts { get; private init; } = [];

    /// <summary>Scales of a quantized cache, which mean nothing without the config that goes.</summary>
    public IReadOnlyList<string> LeftOut { get; private init; } = [];

    /// <exception cref="CheckpointFormatException">The layout of a weight is broken.</exception>
    /// <exception cref="UserErrorException">Nothing in the source is quantized in a known form.</exception>
    public static DequantizePlan Make(DequantizeRequest request, Checkpoint source)
    {
        QuantizedCheckpoint packed = DataTypeCatalog.Read(source);
        packed.ThrowIfBroken();
        if (packed.Weights.Count == 0)
        {
            string? method = source.Config?.QuantMethod;
            throw new UserErrorException(
                ExitCode.InputUnsupported,
                "NOT-QUANTIZED",
                method is null ? "this checkpoint is not quantized: there is nothing to turn back" : "the source holds no quantized weight of a form that is read")
            {
                File = source.Folder,
                Facts = method is null ? [] : [("quant_method", DisplayText.Escape(method))],
                Action = method is null ? "use it as it is" : LeftoverConfig.Action(source) ?? "start from the original weights",
            };
        }

        byte[]? config = source.Config?.RemoveQuantizationConfig();
        if (config is not null && ModelConfig.Parse(config, source.ConfigPath!).QuantMethod is not null)
        {
            throw new UserErrorException(ExitCode.InputUnsupported, "CFG-QUANTIZED", "config.json has a second quantization_config, inside another member")
            {
                File = source.ConfigPath,
                Action = "remove the inner one: the result would still call itself quantized",
            };
        }

        var layout = WeightLayout.Of(
            source.Config,
            packed.Weights.Select(static weight => weight.Name)
                .Concat(packed.Plain.Where(static tensor => tensor.Shape.Rank >= 2).Select(static tensor => tensor.Name)),
            isRecorded: OutputManifest.RecordsConv1D(source.Folder));
        List<TensorPlan> tensors =
        [
            .. packed.Weights.Select(weight => Dense(weight, request.Type ?? DataTypeCatalog.DenseTypeOf(weight, source.Config), layout)),
            .. CacheScales.Without(packed).Select(tensor => new TensorPlan(tensor, Decision(tensor, "plain", "not quantized"), null)),
        ];
        // What this tool made says so where it is one.
        bool isOurs = File.Exists(Path.Combine(source.Folder, OutputManifest.FileName));
        List<string> doubtful = [.. packed.Weights.Where(weight => !isOurs && layout.MayHaveBeenConv1D(weight)).Select(static weight => weight.Name)];
        // In the order of the source, so that reading goes forward.
        var places = new Dictionary<CheckpointTensor, int>(source.Tensors.Count, ReferenceEqualityComparer.Instance);
        foreach (CheckpointTensor tensor in source.Tensors) places.TryAdd(tensor, places.Count);
        tensors = [.. tensors.OrderBy(plan => places[plan.Source])];
        return new DequantizePlan(
            source,
            tensors,
            ShardLayout.Build(tensors, source.OutputBaseName, request.MaxShardBytes),
            config)
        { Request = request, LeftOut = CacheScales.LeftOut(source), DoubtfulLayouts = doubtful };
    }

    /// <summary>The same as a component of a pipeline, whose files are in a folder of its name.</summary>
    public DequantizePlan As(string component) =>
        this with { Component = component, Shards = [.. Shards.Select(shard => shard with { FileName = $"{component}/{shard.FileName}" })] };

    public override void WriteOptions(Utf8JsonWriter json) => WriteOptions(Request, json);

    /// <summary>The options that change bytes.</summary>
    public static void WriteOptions(DequantizeRequest request, Utf8JsonWriter json)
    {
        json.WriteString("dtype", request.Type is { } type ? FloatTypes.Name(type) : null);
        json.WriteNumber("max_shard_size", request.MaxShardBytes);
    }

    private static TensorPlan Dense(QuantizedWeight weight, ElementType type, WeightLayout layout)
    {
        bool transpose = layout.WasConv1D(weight);
        return new TensorPlan(weight.Stored, Decision(weight.Stored, weight.Type, "dequantized"), null, new Dequantization(weight, type, transpose));
    }

    private static TensorDecision Decision(CheckpointTensor tensor, string rule, string reason) => new(
        new PolicyTensor(tensor.Name, tensor.Shape.Dimensions, false, tensor.ByteCount), TensorAction.Copy, rule, reason, false, false);
}
