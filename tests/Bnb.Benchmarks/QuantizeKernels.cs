using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Bnb.Quant;

namespace Bnb.Benchmarks;

/// <summary>absmax + quantize + pack, block 64, one core; a copy of the same source bytes is the ceiling.</summary>
public class QuantizeKernels
{
    private byte[] _source = [];
    private byte[] _copy = [];
    private float[] _absmax = [];
    private byte[] _packed = [];
    private Code4 _code = Code4Catalog.All[0];

    /// <summary>Values per call: 256 Ki stay in a core's L2, 64 Mi come from memory.</summary>
    [Params(1 << 18, 1 << 26)]
    public int Values { get; set; }

    [Params(ElementType.BF16, ElementType.F16, ElementType.F32)]
    public ElementType Type { get; set; }

    [ParamsSource(nameof(Cases))]
    public string Case { get; set; } = "";

    public static IEnumerable<string> Cases =>
        [.. KernelPaths.Available.SelectMany(path => Code4Catalog.All.Select(code => $"{path} {code.Name}")), "copy"];

    [GlobalSetup]
    public void Setup()
    {
        int size = Type.Size();
        _source = new byte[(long)Values * size];
        var random = new Random(1);
        for (int i = 0; i < Values; i++)
        {
            float value = (float)((random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 0.05);
            Span<byte> at = _source.AsSpan(i * size);
            if (Type == ElementType.F32) MemoryMarshal.Write(at, value);
            else if (Type == ElementType.F16) MemoryMarshal.Write(at, (Half)value);
            else MemoryMarshal.Write(at, (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
        }

        _copy = Case == "copy" ? new byte[_source.Length] : [];
        _absmax = new float[Values / 64];
        _packed = new byte[Values / 2];
        _code = Case == "copy" ? _code : Code4Catalog.ByName(Case.Split(' ')[1]);
    }

    [Benchmark]
    public void Run()
    {
        if (Case == "copy") _source.CopyTo(_copy, 0);
        else Quantize4.Run(_code, Type, 64, _source, _absmax, _packed, KernelPaths.Parse(Case.Split(' ')[0]));
    }
}
