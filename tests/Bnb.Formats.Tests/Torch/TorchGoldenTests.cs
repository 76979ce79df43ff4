using Bnb.Formats.IO;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Torch;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Torch;

/// <summary>Files that torch itself saved, against the same tensors as safetensors.</summary>
public sealed class TorchGoldenTests
{
    [Theory]
    [InlineData("zip_default.bin", "expected_main")]
    [InlineData("legacy.bin", "expected_main")]
    [InlineData("zip_fp8_complex.bin", "expected_fp8_complex")]
    [InlineData("zip_pickle_protocol3.bin", "expected_protocol")]
    [InlineData("zip_pickle_protocol4.bin", "expected_protocol")]
    [InlineData("zip_pickle_protocol5.bin", "expected_protocol")]
    [InlineData("module_state_dict.bin", "expected_module")]
    [InlineData("module_state_dict_legacy.bin", "expected_module")]
    [InlineData("wrapper_state_dict.ckpt", "expected_module")]
    [InlineData("wrapper_state_dict_legacy.ckpt", "expected_module")]
    [InlineData("wrapper_model.pt", "expected_module")]
    [InlineData("dataparallel_prefix.bin", "expected_module")]
    [InlineData("wrapper_with_optimizer.pt", "expected_with_optimizer")]
    public void Read_FileOfTorch_HasTheTensorsOfItsSafetensors(string file, string expected)
    {
        using PositionedFile source = PositionedFile.Open(Golden.File("torch", file));
        TorchFile torch = TorchFile.Read(source);
        using PositionedFile safetensors = PositionedFile.Open(Golden.File("torch", expected + ".safetensors"));
        SafetensorsHeader header = SafetensorsFile.ReadHeader(safetensors);

        // The same order, too: the one in which the safetensors library writes.
        Assert.Equal(
            header.Tensors.Select(tensor => (tensor.Name, tensor.DType, tensor.Shape)),
            torch.Tensors.Select(tensor => (tensor.Info.Name, tensor.Info.DType, tensor.Info.Shape)));
        foreach ((TensorInfo info, TorchTensor tensor) in header.Tensors.Zip(torch.Tensors))
        {
            byte[] bytes = new byte[info.ByteCount];
            safetensors.Read(header.DataStart + info.Begin, bytes);
            Assert.Equal(bytes, TensorBytes.Read(source, tensor));
        }
    }

    [Theory]
    [InlineData("hostile_zip.bin", "PT-GLOBAL")]
    [InlineData("hostile_legacy.bin", "PT-GLOBAL")]
    [InlineData("hostile_eval_zip.bin", "PT-GLOBAL")]
    [InlineData("hostile_raw_pickle.bin", "PT-GLOBAL")]
    [InlineData("bare_tensor.pt", "PT-UNSUP")]
    [InlineData("list_of_tensors.pt", "PT-UNSUP")]
    [InlineData("malformed_offset_beyond_storage.bin", "PT-STRIDE")]
    [InlineData("malformed_size_beyond_storage.bin", "PT-STRIDE")]
    [InlineData("malformed_truncated_legacy.bin", "PT-TRUNC")]
    [InlineData("malformed_truncated_zip.bin", "PT-TRUNC")]
    public void Read_HostileFileOfTorch_IsRefused(string file, string code)
    {
        using PositionedFile source = PositionedFile.Open(Golden.File("torch", file));

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => TorchFile.Read(source));

        Assert.Equal(code, error.Error.Code());
        Assert.NotNull(error.Action);
    }
}
