using Bnb.Formats.IO;
using Bnb.Formats.Safetensors;

namespace Bnb.Formats.Tensors;

/// <summary>One weight file of a checkpoint.</summary>
/// <param name="Path">Where to read it.</param>
/// <param name="Name">Its place below the checkpoint's folder, parts separated by <c>/</c>.</param>
/// <param name="Identity">The file as it was when its header was read.</param>
/// <param name="Header">Its checked header.</param>
public sealed record CheckpointFile(string Path, string Name, FileIdentity Identity, SafetensorsHeader Header);
