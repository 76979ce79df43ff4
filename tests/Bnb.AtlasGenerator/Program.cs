using Bnb.AtlasGenerator;

if (args.Length is < 4 or > 5)
{
    Console.Error.WriteLine("usage: Bnb.AtlasGenerator transformers.jsonl diffusers.jsonl vllm.jsonl [vllm-older.jsonl] atlas.bin");
    return 2;
}

// An architecture that the newer vLLM has dropped is taken from the older file.
Dictionary<string, AtlasLine> vllm = new(StringComparer.Ordinal);
foreach (string path in args[2..^1])
    foreach (AtlasLine line in FactFile.ReadVllm(path))
        if (!vllm.TryGetValue(line.Name, out AtlasLine? known) || known.IsRemoved) vllm[line.Name] = line;

List<AtlasLine> lines =
[
    .. FactFile.ReadClasses(args[0], "t"),
    .. FactFile.ReadClasses(args[1], "d"),
    .. vllm.Values.Where(static line => !line.IsRemoved),
];
byte[] atlas = AtlasWriter.Write(lines);
File.WriteAllBytes(args[^1], atlas);
Console.WriteLine($"{lines.Count} classes, {atlas.Length} bytes");

return 0;
