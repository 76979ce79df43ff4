using System.Reflection;
using Bnb.Quant.Gpu.Devices;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>The compiled kernels of an accelerator, by method and type arguments.</summary>
internal sealed class KernelCache(GpuDevice device, Accelerator accelerator)
{
    private readonly Dictionary<MethodInfo, Delegate> _launchers = [];

    /// <summary>Called before every kernel; what it throws stands for a device that fails. For tests of what then happens.</summary>
    public Action? Fault { get; set; }

    /// <summary>The launcher of a kernel class's <c>Run</c> with these type arguments, compiled at its first use.</summary>
    /// <typeparam name="TLauncher">Stream, configuration and the kernel's parameters, returning nothing.</typeparam>
    public TLauncher Get<TLauncher>(Type kernel, params Type[] typeArguments)
        where TLauncher : Delegate
    {
        Fault?.Invoke();
        MethodInfo method = MethodOf(kernel, typeArguments);
        if (!_launchers.TryGetValue(method, out Delegate? launcher))
        {
            try
            {
                launcher = accelerator.LoadKernel<TLauncher>(method);
            }
            catch (Exception error) when (DriverErrors.Include(error))
            {
                throw new GpuException($"{device.Id} ({device.Name}): the driver does not take {kernel.Name}: {error.Message}", error);
            }

            _launchers.Add(method, launcher);
        }

        return (TLauncher)launcher;
    }

    /// <summary>A kernel's method, closed over its type arguments.</summary>
    public static MethodInfo MethodOf(Type kernel, params Type[] typeArguments)
    {
        MethodInfo run = kernel.GetMethod("Run", BindingFlags.Public | BindingFlags.Static)
            ?? throw new InvalidOperationException($"{kernel} has no Run");
        return typeArguments.Length == 0 ? run : run.MakeGenericMethod(typeArguments);
    }
}
