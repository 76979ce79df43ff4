using Bnb.Engine.Devices;
using Bnb.Engine.Events;

namespace Bnb.Engine.Work;

/// <summary>What every part of a running pipeline shares; immutable but for the counters inside.</summary>
/// <param name="Writes">False in a dry run, where weights are read only to know sizes and finiteness exactly.</param>
/// <param name="ScratchPath">Names a new scratch file in the staging folder.</param>
internal sealed record PipelineContext(
    ComputeEngine Engine,
    bool KeepNonFinite,
    bool Writes,
    MemoryBudget Budget,
    TensorSource Source,
    PipelineProgress Progress,
    Func<string> ScratchPath);
