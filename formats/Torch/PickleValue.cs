namespace Bnb.Formats.Torch;

/// <summary>
/// A value of a pickle as an inert record. Nothing here can be called, and nothing walks from a value into those inside it,
/// for a pickle of a few hundred bytes can describe 2^60 of them, or one that contains itself.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="Number">The value of an integer, 0 or 1 for a boolean.</param>
/// <param name="Object">
/// A string, <see cref="PickleTuple"/>, list of values, <see cref="PickleDict"/>, <see cref="GlobalName"/>,
/// <see cref="PickleStorage"/>, <see cref="PickleTensor"/> or <see cref="System.Numerics.BigInteger"/>.
/// </param>
internal readonly record struct PickleValue(PickleKind Kind, long Number = 0, object? Object = null)
{
    /// <summary>The kind in words, with its article, for messages.</summary>
    public string KindText => Kind switch
    {
        PickleKind.None => "None",
        PickleKind.Boolean => "a bool",
        PickleKind.Integer or PickleKind.LargeInteger => "an int",
        PickleKind.Float => "a float",
        PickleKind.Text => "a string",
        PickleKind.Tuple => "a tuple",
        PickleKind.List => "a list",
        PickleKind.Dict => "a dict",
        PickleKind.Global => "a class or function",
        PickleKind.Storage => "a storage",
        _ => "a tensor",
    };
}
