namespace Bnb.Formats.Torch;

/// <summary>What a <see cref="PickleValue"/> is.</summary>
internal enum PickleKind : byte
{
    None,
    Boolean,
    Integer,
    LargeInteger,
    Float,
    Text,
    Tuple,
    List,
    Dict,
    Global,
    Storage,
    Tensor,
}
