using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>Every line of the catalogue of bad inputs, and every odd input that is fine.</summary>
public sealed class HostileFilesTests
{
    public static TheoryData<string> Hostile => [.. HostileFiles.All.Select(hostile => hostile.Name)];

    public static TheoryData<string> Accepted => [.. HostileFiles.Accepted.Select(accepted => accepted.Name)];

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Open_HostileInput_GivesItsCode(string name)
    {
        HostileCase hostile = HostileFiles.All.Single(candidate => candidate.Name == name);
        if (hostile.SkipReason is { } reason) Assert.Skip(reason);
        using TempFolder temp = new();
        string path = hostile.Build(temp);

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() =>
            QuantizedSource.ThrowIfQuantized(Checkpoint.Open(path, requireConfig: Directory.Exists(path))));

        Assert.Equal(hostile.Code, error.Error.Code());
        Assert.Equal(hostile.Exit, ExitOf(error.Error.Kind()));
        Assert.DoesNotContain(error.Message, char.IsControl);
        Assert.True(error.Message.Length < 8000, error.Message);
        Assert.NotNull(error.File);
        Assert.False(string.IsNullOrEmpty(error.Action), error.Message);
    }

    [Theory]
    [MemberData(nameof(Accepted))]
    public void Open_OddButLegalInput_IsAccepted(string name)
    {
        using TempFolder temp = new();
        string path = HostileFiles.Accepted.Single(candidate => candidate.Name == name).Build(temp);

        Checkpoint checkpoint = Checkpoint.Open(path, requireConfig: Directory.Exists(path));

        Assert.Null(QuantizedSource.Find(checkpoint));
        foreach (CheckpointFile file in checkpoint.Files.Where(file => file.Name.EndsWith(".safetensors", StringComparison.Ordinal)))
            HeaderFacts.AssertTiles(SafetensorsFile.ReadHeader(file.Path), file.Identity.Length);
        foreach (CheckpointTensor tensor in checkpoint.Tensors)
        {
            using WeightReader reader = WeightReader.Open(tensor.File);
            reader.Read(tensor, 0, new byte[tensor.ByteCount]);
        }
    }

    [Fact]
    public void All_Names_AreUnique()
    {
        string[] names = [.. HostileFiles.All.Select(hostile => hostile.Name), .. HostileFiles.Accepted.Select(accepted => accepted.Name)];
        Assert.Equal(names.Length, names.Distinct().Count());
    }

    private static int ExitOf(FormatErrorKind kind) => kind switch
    {
        FormatErrorKind.Missing => 3,
        FormatErrorKind.Malformed => 4,
        FormatErrorKind.Unsafe => 5,
        FormatErrorKind.Unsupported => 6,
        FormatErrorKind.Damaged => 7,
        _ => 13,
    };
}
