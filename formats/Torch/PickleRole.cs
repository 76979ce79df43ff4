namespace Bnb.Formats.Torch;

/// <summary>What a name on the list of allowed globals is good for.</summary>
internal enum PickleRole
{
    /// <summary>A value that may stand where one is expected, and nothing else.</summary>
    Inert,
    OrderedDict,
    Size,
    Storage,
    DType,
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    RebuildFromType,
    RebuildQuantized,
}
