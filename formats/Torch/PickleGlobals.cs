using System.Collections.Frozen;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// The classes and functions that a pickle may name: those that state dicts, parameters and optimizer states consist of in
/// all versions of PyTorch. Names are compared exactly. Anything that is not listed is refused where it is named, whether
/// it would be used or not.
/// </summary>
internal static class PickleGlobals
{
    private const string Storages = "torch";

    private static readonly FrozenDictionary<(string Module, string Name), GlobalName> Allowed = All().ToFrozenDictionary(
        entry => (entry.Module, entry.Name),
        entry => new GlobalName($"{entry.Module}.{entry.Name}", entry.Role, entry.DType));

    /// <summary>The listed global of this module and name, or null.</summary>
    public static GlobalName? Find(string module, string name) => Allowed.GetValueOrDefault((module, name));

    private static IEnumerable<(string Module, string Name, PickleRole Role, DType? DType)> All() =>
    [
        ("collections", "OrderedDict", PickleRole.OrderedDict, null),
        ("torch", "Size", PickleRole.Size, null),
        ("torch", "Tensor", PickleRole.Inert, null),
        ("torch.nn.parameter", "Parameter", PickleRole.Inert, null),
        ("torch._utils", "_rebuild_tensor", PickleRole.RebuildTensor, null),
        ("torch._utils", "_rebuild_tensor_v2", PickleRole.RebuildTensorV2, null),
        ("torch._utils", "_rebuild_tensor_v3", PickleRole.RebuildTensorV3, null),
        ("torch._utils", "_rebuild_parameter", PickleRole.RebuildParameter, null),
        ("torch._utils", "_rebuild_parameter_with_state", PickleRole.RebuildParameter, null),
        ("torch._tensor", "_rebuild_from_type_v2", PickleRole.RebuildFromType, null),
        ("torch._utils", "_rebuild_qtensor", PickleRole.RebuildQuantized, null),
        .. ((string[])["per_tensor_affine", "per_channel_affine", "per_tensor_symmetric", "per_channel_symmetric", "per_channel_affine_float_qparams"])
            .Select(name => ("torch", name, PickleRole.Inert, (DType?)null)),
        .. StorageTypes().Select(row => (Storages, row.Name, PickleRole.Storage, row.DType)),
        // Bytes without a dtype; the tensors over it bring their own.
        ("torch.storage", "UntypedStorage", PickleRole.Storage, DType.U8),
        ("torch", "UntypedStorage", PickleRole.Storage, DType.U8),
        .. DTypeNames().Select(row => ("torch", row.Name, PickleRole.DType, row.DType)),
    ];

    private static IEnumerable<(string Name, DType? DType)> StorageTypes() =>
    [
        ("FloatStorage", DType.F32),
        ("DoubleStorage", DType.F64),
        ("HalfStorage", DType.F16),
        ("BFloat16Storage", DType.BF16),
        ("LongStorage", DType.I64),
        ("IntStorage", DType.I32),
        ("ShortStorage", DType.I16),
        ("CharStorage", DType.I8),
        ("ByteStorage", DType.U8),
        ("BoolStorage", DType.Bool),
        ("ComplexFloatStorage", DType.C64),
        ("ComplexDoubleStorage", null),
        ("QInt8Storage", null),
        ("QUInt8Storage", null),
        ("QInt32Storage", null),
        ("QUInt4x2Storage", null),
        ("QUInt2x4Storage", null),
    ];

    private static IEnumerable<(string Name, DType? DType)> DTypeNames() =>
    [
        ("float32", DType.F32),
        ("float64", DType.F64),
        ("float16", DType.F16),
        ("bfloat16", DType.BF16),
        ("int64", DType.I64),
        ("int32", DType.I32),
        ("int16", DType.I16),
        ("int8", DType.I8),
        ("uint8", DType.U8),
        ("uint16", DType.U16),
        ("uint32", DType.U32),
        ("uint64", DType.U64),
        ("bool", DType.Bool),
        ("complex64", DType.C64),
        ("float8_e4m3fn", DType.F8E4M3),
        ("float8_e5m2", DType.F8E5M2),
        ("float8_e4m3fnuz", DType.F8E4M3Fnuz),
        ("float8_e5m2fnuz", DType.F8E5M2Fnuz),
        ("float8_e8m0fnu", DType.F8E8M0),
        ("complex32", null),
        ("complex128", null),
        ("quint8", null),
        ("qint8", null),
        ("qint32", null),
        ("quint4x2", null),
        ("quint2x4", null),
        ("float4_e2m1fn_x2", null),
    ];
}
