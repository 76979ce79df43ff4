using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Int4;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Benchmarks;

/// <summary>absmax + quantize (+ pack for 4 bits), one core; a copy of the same source bytes is the ceiling. nf4, fp4 and
/// dynamic8 in blocks of 64; int8 in rows of 4096; int4 in groups of 128.</summary>
public class QuantizeKernels
{
    /// <summary>LLM.int8(), <see cref="QuantizeRows8"/>.</summary>
    private const string Int8 = "int8";

    /// <summary>8 bits with the dynamic code, <see cref="Blockwise8"/>, which takes float32: 16-bit values are widened 4096
    /// at a time, and the time of that is counted.</summary>
    private const string Dynamic8 = "dynamic8";

    /// <summary>INT4 of compressed-tensors, <see cref="QuantizeGroups4"/>, with scales alone and with zero points.</summary>
    private const string Int4 = "int4";
    private const string Int4Asymmetric = "int4-asymmetric";

    private const int Columns = 4096;
    private const int GroupSize = 128;

    private readonly float[] _widened = new float[Columns];
    private byte[] _source = [];
    private byte[] _copy = [];
    private float[] _absmax = [];
    private byte[] _packed = [];
    private byte[] _codes = [];
    private byte[] _scales = [];
    private sbyte[] _zeroPoints = [];
    private string _kind = "";
    private KernelPath _path;

    /// <summary>Values per call: 256 Ki stay in a core's L2, 64 Mi come from memory.</summary>
    [Params(1 << 18, 1 << 26)]
    public int Values { get; set; }

    [Params(ElementType.BF16, ElementType.F16, ElementType.F32)]
    public ElementType Type { get; set; }

    [ParamsSource(nameof(Cases))]
    public string Case { get; set; } = "";

    public static IEnumerable<string> Cases =>
    [
        .. KernelPaths.Available.SelectMany(
            path => Code4Catalog.All.Select(code => code.Name).Concat([Int8, Int4, Int4Asymmetric, Dynamic8]).Select(kind => $"{path} {kind}")),
        "copy",
    ];

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
        _kind = Case.Split(' ')[^1];
        _path = Case == "copy" ? KernelPath.Reference : KernelPaths.Parse(Case.Split(' ')[0]);
        bool eightBits = _kind is Int8 or Dynamic8;
        _absmax = new float[Values / (_kind == Int8 ? Columns : 64)];
        _packed = eightBits ? [] : new byte[Values / 2];
        _codes = eightBits ? new byte[Values] : [];
        _scales = new byte[Values / GroupSize * size];
        _zeroPoints = _kind == Int4Asymmetric ? new sbyte[Values / GroupSize] : [];
    }

    [Benchmark]
    public void Run()
    {
        if (_kind == "copy") _source.CopyTo(_copy, 0);
        else if (_kind == Int8) QuantizeRows8.Run(Type, Columns, _source, _absmax, MemoryMarshal.Cast<byte, sbyte>(_codes.AsSpan()), _path);
        else if (_kind == Dynamic8) RunDynamic8();
        else if (_kind is Int4 or Int4Asymmetric) QuantizeGroups4.Run(Type, GroupSize, _kind == Int4, _source, _scales, _zeroPoints, _packed, _path);
        else Quantize4.Run(Code4Catalog.ByName(_kind), Type, 64, _source, _absmax, _packed, _path);
    }

    private void RunDynamic8()
    {
        int bytes = Columns * Type.Size();
        for (int start = 0; start < Values; start += Columns)
        {
            ReadOnlySpan<byte> stored = _source.AsSpan(start / Columns * bytes, bytes);
            ReadOnlySpan<float> values = MemoryMarshal.Cast<byte, float>(stored);
            if (Type != ElementType.F32)
            {
                Widen.ToSingle(Type, stored, _widened);
                values = _widened;
            }

            Blockwise8.Quantize(values, 64, _codes.AsSpan(start, Columns), _absmax.AsSpan(start / 64, Columns / 64), _path);
        }
    }
}
