using System.Globalization;
using Bnb.Formats.Json;

namespace Bnb.Formats.Tests;

public sealed class PythonJsonTests
{
    [Theory]
    [InlineData(0.0, "0.0")]
    [InlineData(-0.0, "-0.0")]
    [InlineData(6.0, "6.0")]
    [InlineData(0.1, "0.1")]
    [InlineData(-1.5, "-1.5")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00012345, "0.00012345")]
    [InlineData(0.00001, "1e-05")]
    [InlineData(0.000012345, "1.2345e-05")]
    [InlineData(123456789.0, "123456789.0")]
    [InlineData(1e15, "1000000000000000.0")]
    [InlineData(1234567890123456.0, "1234567890123456.0")]
    [InlineData(1e16, "1e+16")]
    [InlineData(1.5e100, "1.5e+100")]
    [InlineData(5e-324, "5e-324")]
    [InlineData(1.1754943508222875e-38, "1.1754943508222875e-38")]
    [InlineData(1.7976931348623157e308, "1.7976931348623157e+308")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "Infinity")]
    [InlineData(double.NegativeInfinity, "-Infinity")]
    public void Float_IsPythonsRepr(double value, string expected) => Assert.Equal(expected, PythonJson.Float(value));

    [Fact]
    public void Float_RandomDoubles_ReadBack()
    {
        Random random = new(7);
        for (int i = 0; i < 20_000; i++)
        {
            double value = BitConverter.Int64BitsToDouble(random.NextInt64());
            if (double.IsFinite(value)) Assert.Equal(value, double.Parse(PythonJson.Float(value), CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public void Text_EscapesAllButPrintableAscii() =>
        Assert.Equal("\"a/\\\"\\\\\\n\\r\\t\\b\\f\\u0000\\u007f\\u00e9\\ud83d\\ude00\"", PythonJson.Text("a/\"\\\n\r\t\b\f\0\u007fé😀"));

    [Fact]
    public void CompareKeys_OrdersByCodePoint()
    {
        string[] keys = ["😀", "\uffee", "b", "a", "aa", "a.b"];
        Array.Sort(keys, PythonJson.CompareKeys);

        Assert.Equal(["a", "a.b", "aa", "b", "\uffee", "😀"], keys);
    }
}
