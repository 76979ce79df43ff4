using Bnb.TestKit;

namespace Bnb.Formats.Tests.Torch;

/// <summary>Every line of the catalogue about PyTorch files, and what is odd but legal.</summary>
public sealed class TorchFileTests
{
    [Fact]
    public void Read_CataloguedNumbers_AreAllThere()
    {
        // 140 is about reading weights, not about opening the file.
        int[] numbers = [.. HostileFiles.All.Select(hostile => hostile.Number).Where(number => number >= 123).Order()];
        Assert.Equal(Enumerable.Range(123, 78).Where(number => number != 140), numbers);
    }
}
