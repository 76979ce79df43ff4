using System.Text.Json;
using Bnb.Engine.Devices;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Events;
using Bnb.Quant.Backends;
using Bnb.TestKit;
using Bnb.Tool.Tests.Evaluating;
using Xunit;

namespace Bnb.Tool.Tests.Devices;

/// <summary><c>evaluate --device</c>: the forward pass with its products on a device.</summary>
public sealed class DeviceEvaluateTests : IDisposable
{
    /// <summary>Of the largest value, what the order of float32 sums may leave; as of the pass on the CPU.</summary>
    private const double Tolerance = 1e-4;

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Kinds => DeviceModel.Kinds;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Run_GoldenModelOnADevice_GivesTheStatesAndLogitsOfTransformers(string kind)
    {
        DeviceModel.RequireDevice(kind);
        var golden = new GoldenModel("llama");
        using ComputeEngine device = DeviceSelector.Open(new DeviceNeed(DeviceChoice.Parse(kind)!, null, 0, 2), KernelPaths.Selected, NoEvents.Instance);
        var errors = new SortedDictionary<string, double>(StringComparer.Ordinal);

        TokenMatrix logits = golden.Run(
            GoldenModel.Options() with { Products = device }, (state, hidden) => errors[$"hidden_states.{state}"] = golden.LargestError($"hidden_states.{state}", hidden));

        errors["logits"] = golden.LargestError("logits", logits);
        Assert.StartsWith(kind, device.Name, StringComparison.Ordinal);
        Assert.Equal(golden.States + 1, errors.Count);
        Assert.All(errors, error => Assert.True(error.Value <= Tolerance, $"{error.Key}: {error.Value:e2}"));
    }

    /// <summary>
    /// Logits that differ by d at most change every log probability by 2 d at most, and so the logarithm of a perplexity. Both passes are
    /// within the tolerance of the same logits, so d is twice that.
    /// </summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Evaluate_OnADevice_GivesTheFiguresOfTheCpuWithinTheBoundOfTheLogits(string kind)
    {
        DeviceModel.RequireDevice(kind);
        string source = Golden.File("logits", "llama"), quantized = _folder["nf4"], ids = Golden.File("logits", "llama", "expected.safetensors");
        ToolRun.Succeed("quantize", source, "--output", quantized);
        double largest = GoldenTensors.Load("logits", "llama", "expected.safetensors").Floats("logits").Max(Math.Abs);
        double difference = 2 * Tolerance * largest;

        JsonElement cpu = Evaluate(), device = Evaluate("--device", kind, "--max-device-memory", "64MiB");

        Assert.Equal($"{kind}:0", device.GetProperty("kernel_path").GetString());
        Assert.NotEqual($"{kind}:0", cpu.GetProperty("kernel_path").GetString());
        foreach (string side in (string[])["reference", "quantized"])
            Assert.InRange(Math.Abs(Math.Log(Figure(device, side, "perplexity") / Figure(cpu, side, "perplexity"))), 0, 2 * difference);
        // log p/q changes by 4 d at most and p by a factor of e^2d; the mean of |log p/q| is at most KL + sqrt(2 KL), by Pinsker's inequality.
        double worst = Math.Max(Figure(cpu, "kl", "max"), Figure(device, "kl", "max"));
        Assert.InRange(Math.Abs(Figure(device, "kl", "mean") - Figure(cpu, "kl", "mean")), 0, 4 * difference + (Math.Exp(2 * difference) - 1) * (worst + Math.Sqrt(2 * worst)));

        JsonElement Evaluate(params string[] options) => JsonResult.Of(ToolRun.Succeed(
            ["evaluate", quantized, "--source", source, "--ids", ids, "--tokens", "24", "--json", .. options]));
    }

    [Fact]
    public void Evaluate_OnADeviceThatIsNotThere_IsAnError()
    {
        string model = Golden.File("logits", "llama");

        ToolRun run = ToolRun.Of("evaluate", model, "--source", model, "--ids", Golden.File("logits", "llama", "expected.safetensors"), "--device", "cuda:97");

        Refusal.AssertIs(run, ExitCode.DeviceFailed, "DEVICE");
    }

    [Fact]
    public void Evaluate_AutoOnASmallModel_TakesTheCpuAndSaysWhy()
    {
        string model = Golden.File("logits", "llama");

        ToolRun run = ToolRun.Succeed(
            "evaluate", model, "--source", model, "--ids", Golden.File("logits", "llama", "expected.safetensors"), "--tokens", "8", "--device", "auto");

        Assert.Contains("cpu: ", run.Out, StringComparison.Ordinal);
    }

    private static double Figure(JsonElement line, string group, string member) => line.GetProperty(group).GetProperty(member).GetDouble();
}
