using System.Globalization;
using Bnb.Formats.Primitives;
using Bnb.Formats.Torch;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Torch;

/// <summary>
/// Changed PyTorch files: whatever is in them, reading gives tensors inside of the file or one of our errors, with memory
/// in proportion to the file. The same inputs every time; BNB_FUZZ multiplies their number.
/// </summary>
public sealed class TorchFuzzTests
{
    private static readonly int Times =
        int.TryParse(Environment.GetEnvironmentVariable("BNB_FUZZ"), CultureInfo.InvariantCulture, out int times) ? times : 1;

    private static readonly byte[][] Files =
        [.. Directory.GetFiles(Golden.File("torch"), "*", SearchOption.TopDirectoryOnly)
            .Where(path => !path.EndsWith(".safetensors", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    private static readonly byte[][] Small =
    [
        TorchZip.Write(TorchZip.Basic()),
        TorchZip.Write(TorchZip.Basic(), isNative: true),
        TorchZip.Write([.. TorchZip.Basic().Select(record => record with { IsZip64 = true })]),
        File.ReadAllBytes(Golden.File("torch", "wrapper_state_dict_legacy.ckpt")),
    ];

    private static readonly byte[][] Pickles =
    [
        TorchPickle.Basic(),
        TorchPickle.StateDict(("t", TorchPickle.W(sizes: [4, 3], strides: [1, 4])), ("e", TorchPickle.W(sizes: [9, 4], strides: [0, 1]))),
        .. Files.Where(file => file[0] == (byte)'P').Select(PickleOf).OfType<byte[]>(),
    ];

    [Fact]
    public void Read_MutatedFiles_OnlyGiveOurErrors()
    {
        var mutation = new Mutation(20261127);
        for (int i = 0; i < 5_000 * Times; i++) Check(mutation.Of(Files[i % Files.Length], Files));
    }

    [Fact]
    public void Read_MutatedPicklesInSoundArchives_OnlyGiveOurErrors()
    {
        var mutation = new Mutation(20261128);
        for (int i = 0; i < 5_000 * Times; i++) Check(TorchZip.Write(mutation.Of(Pickles[i % Pickles.Length], Pickles)));
    }

    [Fact]
    public void Read_EveryTruncation_OnlyGivesOurErrors()
    {
        foreach (byte[] file in Small)
        {
            for (int length = 0; length < file.Length; length++) Check(file[..length]);
        }
    }

    [Fact]
    public void Read_EveryByteReplaced_OnlyGivesOurErrors()
    {
        foreach (byte[] file in Small)
        {
            for (int at = 0; at < file.Length; at++)
            {
                byte before = file[at];
                foreach (byte value in (ReadOnlySpan<byte>)[0, 0xff, (byte)(before + 1), (byte)(before ^ 0x10)])
                {
                    file[at] = value;
                    Check(file);
                }

                file[at] = before;
            }
        }
    }

    [Fact]
    public void Read_EveryOpcodeInEveryPlace_OnlyGivesOurErrors()
    {
        byte[] pickle = TorchPickle.Basic();
        for (int at = 2; at < pickle.Length; at++)
        {
            byte before = pickle[at];
            foreach (char opcode in "(.01245FGIJKLMNPQRSTUVX)]}abcdeghijlopqrstu\u0080\u0081\u0082\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u0093\u0094\u0095")
            {
                pickle[at] = (byte)opcode;
                Check(TorchZip.Write(pickle));
            }

            pickle[at] = before;
            Check(TorchZip.Write([.. pickle[..at], .. pickle[(at + 1)..]]));
            Check(TorchZip.Write([.. pickle[..at], before, .. pickle[at..]]));
        }
    }

    private static void Check(byte[] bytes)
    {
        MemorySource source = new(bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        TorchFile file;
        try
        {
            file = TorchFile.Read(source);
        }
        catch (CheckpointFormatException error)
        {
            Assert.DoesNotContain(error.Message, char.IsControl);
            Assert.True(error.Message.Length < 8000, error.Message);
            return;
        }
        finally
        {
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < 400_000 + (200 * bytes.Length), $"{allocated} bytes for {bytes.Length}");
        }

        Assert.Equal(file.Tensors.Count, file.Tensors.Select(tensor => tensor.Info.Name).Distinct().Count());
        Assert.True(file.Tensors.Sum(tensor => tensor.Info.ByteCount) <= (FormatLimits.TorchExpansion * (long)bytes.Length) + FormatLimits.TorchExpansionFloor);
        foreach (TorchTensor tensor in file.Tensors)
        {
            Assert.Equal(tensor.Info.DType.ByteCount(tensor.Info.Shape.ElementCount), tensor.Info.ByteCount);
            Assert.InRange(tensor.Storage.Start + tensor.Storage.Length, tensor.Storage.Start, bytes.Length);
            try
            {
                // An exception of the array when a byte of it is outside of the file.
                TensorBytes.Read(source, tensor);
            }
            catch (CheckpointFormatException error)
            {
                Assert.Equal(FormatError.TorchChecksum, error.Error);
            }
        }
    }

    private static byte[]? PickleOf(byte[] file)
    {
        try
        {
            var source = new MemorySource(file);
            ZipRecord record = ZipDirectory.Read(source, new TorchErrors(source.Path)).Find("data.pkl")!.Value;
            return file[(int)record.Start..(int)(record.Start + record.Length)];
        }
        catch (CheckpointFormatException)
        {
            return null;
        }
    }
}
