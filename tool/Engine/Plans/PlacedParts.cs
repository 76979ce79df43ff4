namespace Bnb.Engine.Plans;

/// <summary>One output of a shard without its name.</summary>
/// <param name="Plan">The tensor it belongs to.</param>
/// <param name="Part">What it is of that tensor.</param>
/// <param name="Begin">Its first byte, counted from the end of the header.</param>
internal readonly record struct PlacedPart(TensorPlan Plan, FormPart Part, long Begin);

/// <summary>The outputs of a shard in file order, to go through with <c>foreach</c>; nothing is allocated for it.</summary>
internal readonly struct PlacedParts(ShardOutputs outputs)
{
    public Enumerator GetEnumerator() => new(outputs);

    /// <summary>Where a walk stands.</summary>
    internal struct Enumerator(ShardOutputs outputs)
    {
        private int _index = -1;

        public readonly PlacedPart Current => outputs.At(_index);

        public bool MoveNext() => ++_index < outputs.Count;
    }
}
