
namespace Bnb.Gpu.Tests;

/// <summary>Finds the first device of a kind and opens it once; says in one skip why there is none.</summary>
internal static class DeviceUnderTest
{
    private static readonly Dictionary<string, GpuSession> Sessions = [];
    private static readonly Lock Gate = new();

    /// <summary>One row per check, or a single skipped one.</summary>
    public static IEnumerable<TheoryDataRow<string>> Rows(string kind)
    {
        if (WhyNot(kind) is { } reason) return [new TheoryDataRow<string>("all") { Skip = reason }];
        return DeviceChecks.Names.Select(name => new TheoryDataRow<string>(name));
    }

    /// <summary>Runs a check by name.</summary>
    public static void Run(string kind, string check)
    {
        lock (Gate)
        {
            if (!Sessions.TryGetValue(kind, out GpuSession? session))
            {
                session = GpuDevices.Open(First(kind)!, 256 << 20);
                Sessions.Add(kind, session);
            }

            DeviceChecks.Run(check, session);
        }
    }

    private static string? WhyNot(string kind)
    {
        if (First(kind) is not { } device) return $"no {kind} device on this machine";
        return device.Unusable is { } reason ? $"{device.Id} ({device.Name}): {reason}" : null;
    }

    private static GpuDevice? First(string kind)
    {
        GpuDevice[] devices = [.. GpuDevices.Find(includeSimulator: true).Where(device => device.Kind == kind)];
        return devices.FirstOrDefault(device => device.Unusable is null) ?? devices.FirstOrDefault();
    }
}
