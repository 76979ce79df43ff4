using Bnb.Formats.IO;
using Bnb.Formats.Torch;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Torch;

/// <summary>Every line of the catalogue about PyTorch files, and what is odd but legal.</summary>
public sealed class TorchFileTests
{
    public static TheoryData<int, string> Hostile => [.. HostileFiles.Torch.Select(hostile => (hostile.Number, hostile.Name))];

    public static TheoryData<string> Accepted => [.. HostileFiles.AcceptedTorch.Select(accepted => accepted.Name)];

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Read_HostileFile_GivesItsCode(int number, string name)
    {
        HostileCase hostile = HostileFiles.Torch.Single(candidate => candidate.Name == name);
        using TempFolder temp = new();
        string path = Path.Combine(hostile.Build(temp), "pytorch_model.bin");
        using PositionedFile source = PositionedFile.Open(path);

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => TorchFile.Read(source));

        Assert.Equal((number, hostile.Code), (hostile.Number, error.Error.Code()));
        Assert.NotNull(error.Action);
        Assert.True(error.Message.Length < 4000, error.Message);
        Assert.DoesNotContain(error.Message, char.IsControl);
    }

    [Theory]
    [MemberData(nameof(Accepted))]
    public void Read_OddButLegalFile_IsAccepted(string name)
    {
        using TempFolder temp = new();
        string path = Path.Combine(HostileFiles.AcceptedTorch.Single(candidate => candidate.Name == name).Build(temp), "pytorch_model.bin");
        using PositionedFile source = PositionedFile.Open(path);

        TorchFile file = TorchFile.Read(source);

        foreach (TorchTensor tensor in file.Tensors) Assert.Equal(tensor.Info.ByteCount, TensorBytes.Read(source, tensor).Length);
    }

    [Fact]
    public void Read_CataloguedNumbers_AreAllThere()
    {
        // 140 is about reading weights, not about opening the file.
        int[] numbers = [.. HostileFiles.Torch.Select(hostile => hostile.Number).Where(number => number >= 123).Order()];
        Assert.Equal(Enumerable.Range(123, 78).Where(number => number != 140), numbers);
    }
}
