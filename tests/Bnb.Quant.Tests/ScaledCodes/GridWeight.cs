using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests.ScaledCodes;

/// <summary>Codes with a grid of scales, decoded whole, row by row: what a caller of <see cref="DecodeCodes"/> does.</summary>
internal sealed record GridWeight(
    ScaledCode Code, byte[] Codes, float[] Scales, int Columns, int BlockRows, int BlockColumns, ElementType Through)
{
    public int Rows => Codes.Length / Columns;

    private int GridColumns => (Columns + BlockColumns - 1) / BlockColumns;

    public byte[] Decode(ElementType type, KernelPath path)
    {
        var values = new byte[Codes.Length * type.Size()];
        for (int row = 0; row < Rows; row++)
        {
            int bytes = Columns * type.Size();
            DecodeCodes.Row(
                Code,
                Codes.AsSpan(row * Columns, Columns),
                Scales.AsSpan(row / BlockRows * GridColumns, GridColumns),
                [],
                0,
                BlockColumns,
                Through,
                type,
                values.AsSpan(row * bytes, bytes),
                path);
        }

        return values;
    }

    /// <summary>The scales of a tensor as float32.</summary>
    public static float[] ReadScales(GoldenTensors golden, string name, ScaleCode? code = null)
    {
        ScaleCode stored = code ?? golden.Dtype(name) switch
        {
            "F32" => ScaleCode.F32,
            "F16" => ScaleCode.F16,
            "BF16" => ScaleCode.BF16,
            "F8_E4M3" => ScaleCode.E4M3,
            "F8_E8M0" => ScaleCode.E8M0,
            _ => ScaleCode.Exponent,
        };
        byte[] bytes = golden.Bytes(name);
        var scales = new float[bytes.Length / stored.Size()];
        DecodeScales.ToSingle(stored, bytes, scales);
        return scales;
    }

    /// <summary>Two codes a byte to one.</summary>
    public static byte[] Unpack(byte[] packed)
    {
        var codes = new byte[packed.Length * 2];
        UnpackCodes.LowFirst4(packed, codes);
        return codes;
    }

    /// <summary>Equal bytes, but that any NaN equals any other.</summary>
    public static void AssertSame(ElementType type, byte[] expected, byte[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        int size = type.Size();
        var wanted = new float[expected.Length / size];
        var found = new float[wanted.Length];
        Widen.ToSingle(type, expected, wanted);
        Widen.ToSingle(type, actual, found);
        for (int i = 0; i < wanted.Length; i++)
        {
            bool same = float.IsNaN(wanted[i])
                ? float.IsNaN(found[i])
                : BitConverter.SingleToUInt32Bits(wanted[i]) == BitConverter.SingleToUInt32Bits(found[i]);
            Assert.True(same, $"{what}: value {i} is {found[i]:R}, expected {wanted[i]:R}");
        }
    }
}
