using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.CompressedTensors;

namespace Bnb.Engine.Linting;

/// <summary>
/// transformers and diffusers: they build the model's modules, convert those that their list does not skip, and load the file into
/// them. What is packed must be converted, what is plain must not.
/// </summary>
internal sealed class LibraryRules(LintedCheckpoint checkpoint, Loader loader, LintCollector found)
{
    private readonly Float32Lists _kept = new();

    private bool IsCompressed => checkpoint.IsCompressed;

    public void Run()
    {
        foreach (LintedTensor tensor in checkpoint.Tensors) Judge(tensor);
        Unsaved();
        if (loader == Loader.Transformers5 && checkpoint.Weights.Weights.Any(static weight => weight is Int4Weight { IsSymmetric: false }))
            found.AddWhole(LintRules.AsymmetricInt4, LintLevel.Warning, LintRules.AsymmetricInt4.Title);
    }

    private void Judge(LintedTensor tensor)
    {
        int index = tensor.Known is { } known ? Index(known.Class) : -1;
        if (index < 0)
        {
            ByName(tensor);
            return;
        }

        LayerKind kind = tensor.Known!.Facts.Kinds[index];
        string name = tensor.Known.MemoryName(index), module = ModuleName.PathOfWeight(name) ?? name;
        if (tensor.Packed is null) Plain(tensor, kind, module);
        else Packed(tensor, kind, module);
    }

    private void Packed(LintedTensor tensor, LayerKind kind, string module)
    {
        bool subclassConverts = IsCompressed || loader != Loader.Transformers5;
        LintRule? rule = kind switch
        {
            LayerKind.NotLinear => LintRules.NotLinear,
            LayerKind.Subclass when !subclassConverts => LintRules.Subclass,
            LayerKind.Expert when loader == Loader.Transformers5 && tensor.Packed is not Int4Weight { IsSymmetric: true } => LintRules.FusedExperts,
            LayerKind.Rebuilt => LintRules.Rebuilt,
            _ => null,
        };
        if (rule is not null) found.Add(rule, LintLevel.Error, tensor.Name);
        else if (kind == LayerKind.Absent) found.Add(LintRules.Absent, LintLevel.Warning, tensor.Name);
        else if (kind != LayerKind.Expert && Skipped(module, kind)) found.Add(LintRules.PackedButSkipped, LintLevel.Error, tensor.Name);
        if (loader == Loader.Diffusers && module.Contains("bias", StringComparison.Ordinal)) found.Add(LintRules.BiasInPath, LintLevel.Error, tensor.Name);
    }

    private void Plain(LintedTensor tensor, LayerKind kind, string module)
    {
        bool subclassConverts = IsCompressed || loader != Loader.Transformers5;
        bool isLayer = kind is LayerKind.Linear or LayerKind.Kept || (kind == LayerKind.Subclass && subclassConverts);
        if (IsCompressed && tensor.Known!.Facts.IsConv1D) isLayer = false;
        if (isLayer && !Skipped(module, kind)) found.Add(LintRules.PlainNotSkipped, LintLevel.Error, tensor.Name);
    }

    private void ByName(LintedTensor tensor)
    {
        if (tensor.Known is null && IsPartOfStack(tensor.Name))
        {
            found.Add(LintRules.StackedExperts, LintLevel.Error, tensor.Name);
            return;
        }

        IReadOnlyList<string> names = checkpoint.Names.Of(new ModuleName(tensor.Module), tensor.Known);
        if (tensor.Packed is not null && names.Any(name => Skipped(name, LayerKind.Linear))) found.Add(LintRules.PackedButSkipped, LintLevel.Error, tensor.Name);
        // Nothing is known of the class, so it may be no linear layer after all.
        if (tensor.Packed is null && checkpoint.LinearByName.Contains(tensor.Name) && !names.Any(name => Skipped(name, LayerKind.Linear)))
            found.Add(LintRules.PlainNotSkipped, LintLevel.Warning, tensor.Name);
    }

    /// <summary>One expert's weight where the class has the weights of all experts as one parameter, and no version of it another form.</summary>
    private bool IsPartOfStack(string name)
    {
        const string Experts = ".experts.";
        int at = name.LastIndexOf(Experts, StringComparison.Ordinal) + Experts.Length;
        if (at < Experts.Length || at == name.Length || !char.IsAsciiDigit(name[at])) return false;
        return ((string[])["gate_up_proj", "down_proj"]).Select(leaf => checkpoint.Known.Find(name[..at] + leaf)).OfType<KnownTensor>()
            .Any(stack => Index(stack.Class) is >= 0 and var index && stack.Facts.Kinds[index] == LayerKind.NotLinear);
    }

    private void Unsaved()
    {
        List<Verdict> verdicts =
        [
            .. checkpoint.Tensors.Select(tensor => new Verdict(tensor.Packed is null ? TensorAction.Copy : TensorAction.Quantize, "", "") { Known = tensor.Known }),
        ];
        IReadOnlyList<PolicyTensor> tensors = [.. checkpoint.Tensors.Select(tensor => new PolicyTensor(tensor.Name, [1, 1], true, 0))];
        foreach (string module in new UnsavedModules(checkpoint.Known, tensors, verdicts).ToSkip(verdicts))
        {
            // transformers says which keys are missing and goes on; compressed-tensors stops at a layer without a weight.
            if (!Skipped(module, LayerKind.Kept)) found.Add(LintRules.UnsavedNotSkipped, IsCompressed ? LintLevel.Error : LintLevel.Warning, module);
        }
    }

    /// <summary>Whether a version of the library leaves the module alone; without a list each keeps its own heads.</summary>
    private bool Skipped(string module, LayerKind kind)
    {
        if (IsCompressed) return checkpoint.Ignores.Ask(IgnoreReader.CompressedTensors, module) == IgnoreAnswer.Ignored;
        if (checkpoint.Known.Whole is { } model && _kept.InEvery(model, loader, module)) return true;
        if (checkpoint.Skips is not { } list) return kind == LayerKind.Kept;
        return loader == Loader.Transformers5 ? list.MatchesV5(module) && list.MatchesV5Anchored(module) : list.MatchesV4(module);
    }

    private int Index(ModelClass model)
    {
        for (int i = 0; i < model.Loaders.Count; i++)
            if (model.Loaders[i] == loader) return i;

        return -1;
    }
}
