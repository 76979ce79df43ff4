using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.Checkpoints;

/// <summary>
/// Formats of other libraries that are not read and whose tensors have names that nobody else's have. They are told first, since
/// some of their parts are named like parts of a format that is read.
/// </summary>
internal static class NamedFormats
{
    // What a format's library calls the codes, and a part that lies beside them where the name alone might be a coincidence.
    private static readonly (string Library, string Codes, string? Beside)[] Rows =
    [
        ("HQQ", ".W_q", null),
        ("EXL2", ".q_weight", ".q_scale"),
        ("EXL3", ".trellis", ".suh"),
        ("AQLM", ".codes", ".codebooks"),
        ("QuIP#", ".Qidxs", null),
        ("VPTQ", ".centroids.weight", ".indices"),
        ("HIGGS", ".tables2", ".scales"),
        ("SpQR", ".dense_weights", null),
        ("Marlin", ".B", ".s"),
        ("SqueezeLLM", ".qweight", ".lookup_table"),
        ("torchao", "weight_qdata", null),
        ("torchao", "weight:qdata", null),
        ("torchao", "weight:_data", null),
        ("EETQ", ".weight", ".weight_scales"),
    ];

    /// <summary>What the tensor's format is called; null when its name is none of these.</summary>
    /// <param name="names">Whether there is a tensor of a name.</param>
    public static string? Of(string name, DType dtype, Func<string, bool> names)
    {
        if (IsQuanto(name, names)) return "quanto weights";
        foreach ((string library, string codes, string? beside) in Rows)
        {
            if (!name.EndsWith(codes, StringComparison.Ordinal)) continue;
            // A plain weight may have such a neighbour.
            if (codes == ".weight" && dtype is not (DType.I8 or DType.U8)) continue;
            if (beside is null || names(name[..^codes.Length] + beside)) return library + " weights";
        }

        return null;
    }

    /// <summary>Takes their tensors, and of each module that has some every other part: scales and indexes mean nothing alone.</summary>
    public static void Report(WeightSearch search, ICollection<CheckpointTensor> unread)
    {
        var found = search.Tensors.Select(tensor => (Tensor: tensor, Library: Of(tensor.Name, tensor.DType, search.ByName.ContainsKey)))
            .Where(static item => item.Library is not null).ToList();
        if (found.Count == 0) return;
        foreach (var format in found.GroupBy(static item => item.Library!))
            OtherFormats.Say(search, format.First().Tensor.Name, format.Key, format.Count());
        var modules = found.Select(static item => ModuleOf(item.Tensor.Name)).ToHashSet(StringComparer.Ordinal);
        foreach (CheckpointTensor tensor in search.Remaining.Where(tensor => modules.Contains(ModuleOf(tensor.Name)) && !IsBias(tensor.Name)).ToList())
        {
            search.Take(tensor.Name);
            unread.Add(tensor);
        }
    }

    // Its packed tensors are data of data.
    private static bool IsQuanto(string name, Func<string, bool> names)
    {
        const string Data = "._data";
        string weight = name;
        while (weight.EndsWith(Data, StringComparison.Ordinal)) weight = weight[..^Data.Length];
        return weight.Length < name.Length && names(weight + "._scale");
    }

    private static bool IsBias(string name) => name.EndsWith(".bias", StringComparison.Ordinal);

    // Parts of parts (weight._data._scale, meta.scale, centroids.weight) are the module's.
    private static string ModuleOf(string name)
    {
        string[] parts = name.Split('.');
        int end = parts.Length - 1;
        while (end > 1 && (parts[end - 1].StartsWith('_') || parts[end - 1] is "weight" or "meta" or "centroids" or "res_centroids")) end--;
        return string.Join('.', parts[..end]);
    }
}
