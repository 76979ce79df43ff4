using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Tool.Tests.Policy;

namespace Bnb.Tool.Tests.Architectures;

/// <summary>
/// Plays what loaders do with a decision: which of a class's layers they convert, given the list, and whether the file holds
/// exactly those packed. Written from the loaders' rules, apart from the policy.
/// </summary>
internal sealed class SimulatedLoaders(AtlasCheckpoint checkpoint, PolicyResult result, PolicyTarget target)
{
    private readonly HashSet<string> _packed = new(
        result.Decisions.Where(static decision => decision.Action == TensorAction.Quantize).Select(static decision => decision.Tensor.Name),
        StringComparer.Ordinal);

    private bool IsInt4 => target == PolicyTarget.CompressedTensors;

    /// <summary>Experts are packed that transformers 5 fuses and bitsandbytes cannot: it does not load the file, by the user's choice.</summary>
    public bool LeavesExpertsAside => !IsInt4 && checkpoint.Tensors.Exists(item =>
        _packed.Contains(item.Tensor.Name) && item.Facts.Has(LayerKind.Expert));

    /// <summary>One line for each layer that a loader builds otherwise than the file is.</summary>
    public IEnumerable<string> Disagreements()
    {
        foreach (string problem in SimulatedVllm.Disagreements(checkpoint, result, target)) yield return problem;
        if (IsInt4)
        {
            // Compared with names of classes and of their ancestors too, of which Linear is everything.
            foreach (string entry in result.SkipModules.Where(static entry => char.IsUpper(entry[0]) && !entry.Contains('.', StringComparison.Ordinal)))
                yield return $"{checkpoint.Model.Name}: {entry} may be the name of a class";
        }

        for (int loader = 0; loader < checkpoint.Model.Loaders.Count; loader++)
        {
            foreach ((string version, Func<string, bool> converts) in Versions(checkpoint.Model.Loaders[loader]))
            {
                foreach (string problem in Saved(loader, converts).Concat(Unsaved(loader, converts)))
                    yield return $"{checkpoint.Model.Name} in {version}: {problem}";
            }
        }
    }

    private IEnumerable<(string Version, Func<string, bool> Converts)> Versions(Loader loader)
    {
        if (IsInt4)
        {
            yield return ($"compressed-tensors for {loader}", module => NaiveIgnoreReaders.All["CompressedTensors"](result.SkipModules, module) == "quantized");
            if (loader == Loader.Transformers4)
                yield return ("compressed-tensors 0.10", module => NaiveIgnoreReaders.All["CompressedTensors10"](result.SkipModules, module) == "quantized");
            yield break;
        }

        IReadOnlyList<string> list = [.. result.SkipModules, .. checkpoint.Model.KeptInFloat32[checkpoint.Model.IndexOf(loader)]];
        if (loader == Loader.Transformers5)
        {
            yield return ("transformers 5.0", module => !NaiveMatchers.All["v5"](list, module));
            yield return ("transformers 5.23", module => !NaiveMatchers.All["v5-anchored"](list, module));
        }
        else
        {
            yield return (loader.ToString(), module => !NaiveMatchers.All["v4"](list, module));
        }
    }

    private IEnumerable<string> Saved(int loader, Func<string, bool> converts)
    {
        Dictionary<string, bool> blocks = new(StringComparer.Ordinal);
        for (int i = 0; i < checkpoint.Tensors.Count; i++)
        {
            (PolicyTensor tensor, SavedTensor facts, _) = checkpoint.Tensors[i];
            bool packed = _packed.Contains(tensor.Name);
            LayerKind kind = facts.Kinds[loader];
            bool subclassConverts = IsInt4 || checkpoint.Model.Loaders[loader] != Loader.Transformers5;
            bool isLayer = kind is LayerKind.Linear or LayerKind.Kept || (kind == LayerKind.Subclass && subclassConverts);
            if (kind == LayerKind.Absent) continue;
            if (kind == LayerKind.Expert)
            {
                // Fused when it is loaded: bitsandbytes cannot where they are packed, which is the user's choice; compressed-tensors
                // can where those of a block are alike.
                if (IsInt4 && FusedExpert(tensor.Name, packed, blocks, converts) is string problem) yield return problem;
                continue;
            }

            if (IsInt4 && facts.IsConv1D) isLayer = false;
            string module = checkpoint.MemoryModule(i, loader);
            bool converted = isLayer && converts(module);
            if (converted != packed) yield return $"{tensor.Name} ({module}): packed {packed}, converted {converted}";
            if (packed && checkpoint.Model.Loaders[loader] == Loader.Diffusers && module.Contains("bias", StringComparison.Ordinal))
                yield return $"{tensor.Name}: taken for a bias";
        }
    }

    private IEnumerable<string> Unsaved(int loader, Func<string, bool> converts)
    {
        List<string> memory = [.. Enumerable.Range(0, checkpoint.Tensors.Count).Select(i => checkpoint.MemoryModule(i, loader))];
        foreach (var (pattern, sourcePattern) in checkpoint.Model.TiedModules)
        {
            if (checkpoint.Model.Loaders[loader] == Loader.Diffusers) continue;
            foreach (string number in (string[])["0", "10"])
            {
                string module = NumberedName.Fill(pattern, [number, "0"]);
                string leaf = module.Split('.')[^1];
                if (leaf.Contains("embed", StringComparison.Ordinal) || memory.Contains(module) || sourcePattern is null) continue;
                int source = memory.IndexOf(NumberedName.Fill(sourcePattern, [number, "0"]));
                if (source < 0) continue;
                SavedTensor facts = checkpoint.Tensors[source].Facts;
                bool sharesTable = sourcePattern.Contains("embed", StringComparison.Ordinal) || sourcePattern.EndsWith("shared", StringComparison.Ordinal);
                if (_packed.Contains(checkpoint.Tensors[source].Tensor.Name) || (facts.IsNeverLinear && !sharesTable)) continue;
                if (converts(module)) yield return $"{module} is tied to {sourcePattern} and not in the file, but converted";
            }
        }

        if (checkpoint.Model.Loaders[loader] != Loader.Transformers5) yield break;
        foreach ((_, SavedTensor facts, IReadOnlyList<string> numbers) in checkpoint.Tensors)
        {
            if (!facts.Has(LayerKind.Rebuilt)) continue;
            foreach (string pattern in checkpoint.Model.RebuiltModules)
                if (converts(NumberedName.Fill(pattern, numbers))) yield return $"{pattern} is made of plain tensors but converted";
        }
    }

    private static string? FusedExpert(string name, bool packed, Dictionary<string, bool> blocks, Func<string, bool> converts)
    {
        string module = name[..^".weight".Length], block = module[..(module.IndexOf("experts.", StringComparison.Ordinal) + "experts".Length)];
        if (!blocks.TryAdd(block, packed) && blocks[block] != packed) return $"{name}: packed {packed}, others of its block {!packed}";
        return packed && !converts(module) ? $"{name}: packed and ignored" : null;
    }
}
