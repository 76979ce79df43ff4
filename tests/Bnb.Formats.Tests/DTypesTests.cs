using System.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Tests;

public sealed class DTypesTests
{
    [Fact]
    public void All_EveryMember_HasItsRow()
    {
        Assert.Equal(Enum.GetValues<DType>(), DTypes.All);
        foreach (DType dtype in DTypes.All)
        {
            Assert.True(DTypes.TryParse(Encoding.ASCII.GetBytes(dtype.Name()), out DType parsed));
            Assert.Equal(dtype, parsed);
            Assert.Equal(dtype.ToString().ToUpperInvariant(), dtype.Name().Replace("_", "", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(DType.F4, 4L, 2L)]
    [InlineData(DType.F4, 3L, null)]
    [InlineData(DType.F6E2M3, 4L, 3L)]
    [InlineData(DType.BF16, 5L, 10L)]
    [InlineData(DType.C64, 1L, 8L)]
    [InlineData(DType.F64, long.MaxValue, null)]
    public void ByteCount_IsExactOrNothing(DType dtype, long elements, long? bytes) =>
        Assert.Equal(bytes, dtype.ByteCount(elements));

    [Fact]
    public void Of_Shapes_CompareByValueAndCountElements()
    {
        Assert.Equal(1, TensorShape.Of().ElementCount);
        Assert.Equal(TensorShape.Of(2, 3), TensorShape.Of(2, 3));
        Assert.NotEqual(TensorShape.Of(2, 3), TensorShape.Of(3, 2));
        Assert.Equal("[4096, 11008]", TensorShape.Of(4096, 11008).ToString());
        Assert.Throws<OverflowException>(() => TensorShape.Of(1L << 62, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => TensorShape.Of(-1));
    }

    [Fact]
    public void Code_EveryError_HasCodeAndKind()
    {
        foreach (FormatError error in Enum.GetValues<FormatError>())
        {
            Assert.Matches("^[A-Z]+-[A-Z0-9]+$", error.Code());
            Assert.True(Enum.IsDefined(error.Kind()));
        }
    }
}
