using System.Diagnostics;
using System.Text;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

public sealed class SideFileTests
{
    [Fact]
    public void Open_FullFolder_SeparatesWhatIsCopiedFromWhatIsNot()
    {
        using TempFolder temp = new();
        string[] copied =
        [
            ".gitattributes", "1_Pooling/config.json", "2_Dense/model.safetensors", "LICENSE", "README.md", "added_tokens.json",
            "additional_chat_templates/tools.jinja", "chat_template.jinja", "generation_config.json", "merges.txt",
            "modeling_x.py", "modules.json", "preprocessor_config.json", "sub/names are fine é.txt", "tokenizer.model",
        ];
        string[] leftOut =
        [
            "consolidated.safetensors", "model.fp16.safetensors", "model.gguf", "pytorch_model.bin", "pytorch_model.bin.index.json",
            "tf_model.h5", "training_args.bin", "tokenizer.json.incomplete", "quantize_config.json", "hf_quant_config.json", "adapter_config.json",
        ];
        string[] leftOutFolders = [".git/HEAD", ".cache/x", "original/params.json", "checkpoint-500/model.safetensors", "onnx/config.json"];
        string folder = CheckpointBuilder.SingleFile(temp["m"], [TestTensor.Numbered("a", "F32", 2)]);
        foreach (string name in (string[])[.. copied, .. leftOut, .. leftOutFolders]) temp.Write("m/" + name, Encoding.UTF8.GetBytes(name));

        SideFileList files = Checkpoint.Open(folder, requireConfig: true).SideFiles;

        Assert.Equal(copied, files.Copied.Select(file => file.RelativeName));
        Assert.All(files.Copied, file => Assert.Equal(Encoding.UTF8.GetByteCount(file.RelativeName), file.Length));
        Assert.Equal(
            leftOut.Concat(leftOutFolders.Select(name => name.Split('/')[0] + "/")).Order(StringComparer.Ordinal),
            files.LeftOut);
    }

    [Fact]
    public void Open_LinkOutOfTheFolder_IsTakenOnlyWhenAsked()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        File.CreateSymbolicLink(Path.Combine(folder, "tokenizer.json"), temp.Write("elsewhere/t.json", "{}"u8));

        Assert.Equal(FormatError.SideFileLink, Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder, true)).Error);
        Assert.Equal(["tokenizer.json"], Checkpoint.Open(folder, true, followSymlinks: true).SideFiles.Copied.Select(file => file.RelativeName));
    }

    [Fact]
    public void Open_FolderLinkOutOfTheFolder_IsRefused()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        temp.Write("elsewhere/t.json", "{}"u8);
        File.CreateSymbolicLink(Path.Combine(folder, "extra"), temp["elsewhere"]);

        Assert.Equal(FormatError.SideFileLink, Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder, true)).Error);
    }

    [Fact]
    public void Open_SiblingWithTheSamePrefix_IsOutside()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        File.CreateSymbolicLink(Path.Combine(folder, "t.json"), temp.Write("model-other/t.json", "{}"u8));

        Assert.Equal(FormatError.SideFileLink, Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder, true)).Error);
    }

    [Fact]
    public void Open_LinkInsideTheFolder_IsCopied()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        temp.Write("model/a.txt", "a"u8);
        File.CreateSymbolicLink(Path.Combine(folder, "b.txt"), "a.txt");
        File.CreateSymbolicLink(Path.Combine(folder, "loop"), ".");

        SideFileList files = Checkpoint.Open(folder, true).SideFiles;

        Assert.Equal(["a.txt", "b.txt"], files.Copied.Select(file => file.RelativeName));
        Assert.Equal(["loop/"], files.LeftOut);
    }

    [Fact]
    public void Open_CacheLinkThatLeavesTheCache_IsRefused()
    {
        using TempFolder temp = new();
        string folder = HostileFiles.Accepted.Single(accepted => accepted.Name == "dir-ok-hf-cache").Build(temp);
        string blob = temp["hub", "models--org--name", "blobs", "evil"];
        File.CreateSymbolicLink(blob, temp.Write("secret", "x"u8));
        File.CreateSymbolicLink(Path.Combine(folder, "evil.json"), blob);

        Assert.Equal(FormatError.SideFileLink, Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder, true)).Error);
    }

    [Fact]
    public void Open_DanglingSideLink_IsMissing()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        File.CreateSymbolicLink(Path.Combine(folder, "t.json"), "nothing");

        Assert.Equal(FormatError.FileMissing, Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder, true)).Error);
    }

    [Fact]
    public void Open_TooDeep_IsRefused()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        temp.Write("model/1/2/3/4/5/6/x.txt", "x"u8);

        Assert.Equal("AUX-LIMIT", Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder, true)).Error.Code());
    }

    [Fact]
    public void Open_PictureIsAPointer_IsLeftOut()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        temp.Write("model/assets/logo.png", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"u8);

        Assert.Equal(["assets/logo.png"], Checkpoint.Open(folder, true).SideFiles.LeftOut);
    }

    [Fact]
    public void Open_NameWithNewline_IsRefused()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        temp.Write("model/a\nb.txt", "x"u8);

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder, true));
        Assert.Equal(FormatError.FileNameUnreadable, error.Error);
        Assert.Contains(("name", "a\\x0ab.txt"), error.Facts);
    }

    [Fact]
    public void Open_NameThatIsNotUtf8_IsNamedByItsBytes()
    {
        using TempFolder temp = new();
        string folder = Model(temp);
        // .NET cannot make such a name; the shell can.
        using Process shell = Process.Start("/bin/sh", ["-c", "touch \"$0/$(printf 'bad\\377.txt')\"", folder]);
        shell.WaitForExit();

        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(() => Checkpoint.Open(folder, true));

        Assert.Equal(FormatError.FileNameUnreadable, error.Error);
        Assert.Contains(("name", "bad\\xff.txt"), error.Facts);
        using Process cleaner = Process.Start("/bin/rm", ["-rf", folder]);
        cleaner.WaitForExit();
    }

    private static string Model(TempFolder temp) =>
        CheckpointBuilder.SingleFile(temp["model"], [TestTensor.Numbered("a", "F32", 2)]);
}
