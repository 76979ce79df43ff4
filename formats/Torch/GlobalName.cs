using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>A name on the list of allowed globals. It stands for itself: there is nothing behind it that could be called.</summary>
/// <param name="Name">Module and name, as in the pickle.</param>
/// <param name="Role">What it is good for.</param>
/// <param name="DType">The dtype that it names or that a storage of this class has; null when there is none here.</param>
internal sealed record GlobalName(string Name, PickleRole Role, DType? DType = null)
{
    /// <summary>Bytes of an element of a storage of this class, or null when it is not read.</summary>
    public int? ElementBytes => DType?.BitSize() / 8;
}
