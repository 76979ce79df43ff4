
namespace Bnb.Engine.Policy.Names;

/// <summary>Ids of the rules as they appear in reports; <c>docs/modules.md</c> explains each.</summary>
internal static class RuleIds
{
    public const string Linear = "linear";
    public const string NotFloat = "not-float";
    public const string Bias = "bias";
    public const string NotWeight = "not-weight";
    public const string NotMatrix = "not-2d";
    public const string Empty = "empty";
    public const string FusedExperts = "moe-fused-3d";
    public const string Embedding = "embedding";
    public const string Norm = "norm";
    public const string Head = "lm_head";
    public const string Router = "router";
    public const string MultiheadAttention = "mha-out-proj";
    public const string KeepFloat32 = "keep-fp32";
    public const string StateSpace = "ssm";
    public const string Multimodal = "multimodal";
    public const string DiffusionEnds = "diffusion-ends";
    public const string Unaligned = "unaligned";
    public const string Conv1D = "conv1d";
    public const string UnknownLinear = "unknown-linear";
    public const string FusedGroup = "fused-group";
    public const string UserExclude = "user-exclude";
    public const string UserInclude = "user-include";
    public const string Closure = "closure";
    public const string NotLinear = "not-linear";
    public const string Subclass = "subclass";
    public const string Rebuilt = "rebuilt";
    public const string Experts = "experts";
    public const string ReadRaw = "read-raw";
    public const string Adapter = "adapter";
}
