namespace Bnb.Formats.Torch;

/// <summary>One tensor of a PyTorch file, checked: it lies inside its storage.</summary>
/// <param name="Info">Name, dtype and shape, and the place of its first byte counted from the start of the file.</param>
/// <param name="Storage">The storage it is in.</param>
/// <param name="Strides">Where its bytes are, or null when they lie one after the other from <see cref="TensorInfo.Begin"/> on.</param>
internal sealed record TorchTensor(TensorInfo Info, StoredRange Storage, TensorStrides? Strides);
