using System.Globalization;
using Bnb.Quant.Gpu.Devices;

namespace Bnb.Engine.Devices;

/// <summary>What <c>--device</c> asks for.</summary>
/// <param name="Kind">auto, cpu, cuda, opencl, or cpu-sim (ILGPU's interpreter, for tests).</param>
/// <param name="Index">One device of the kind; null for all of them.</param>
internal sealed record DeviceChoice(string Kind, int? Index)
{
    public const string Auto = "auto";
    public const string CpuKind = "cpu";
    public const string Cuda = "cuda";
    public const string OpenCl = "opencl";
    public const string Simulator = "cpu-sim";

    public static DeviceChoice Cpu { get; } = new(CpuKind, null);

    public bool IsSimulator => Kind == Simulator;

    /// <summary>The choice that a word names, or null.</summary>
    public static DeviceChoice? Parse(string text)
    {
        string[] parts = text.Split(':');
        if (parts is [Auto] or [CpuKind]) return new DeviceChoice(text, null);
        if (parts[0] is not (Cuda or OpenCl or Simulator) || parts.Length > 2) return null;
        if (parts.Length == 1) return new DeviceChoice(parts[0], null);
        return int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int index) ? new DeviceChoice(parts[0], index) : null;
    }

    public bool Matches(GpuDevice device) => device.Kind == Kind && (Index is not { } index || device.Id == $"{Kind}:{index}");

    public override string ToString() => Index is { } index ? $"{Kind}:{index}" : Kind;
}
