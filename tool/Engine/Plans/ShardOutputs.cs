using System.Collections;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Plans;

/// <summary>
/// The output tensors of a shard in file order. Only their places are held, sixteen bytes each; what else an
/// <see cref="OutputTensor"/> says is made when it is asked for.
/// </summary>
internal sealed class ShardOutputs : IReadOnlyList<OutputTensor>
{
    private const int FarthestMove = 16;

    private readonly IReadOnlyList<TensorPlan> _tensors;
    private readonly IReadOnlyList<OutputForm> _forms;
    private readonly (int Tensor, int Part, long Begin)[] _places;

    /// <summary>Puts the outputs of a shard in order.</summary>
    /// <param name="forms">What each tensor becomes.</param>
    public ShardOutputs(IReadOnlyList<TensorPlan> tensors, IReadOnlyList<OutputForm> forms)
    {
        (_tensors, _forms) = (tensors, forms);
        _places = new (int, int, long)[forms.Sum(form => form.Parts.Count)];
        Order();
        long position = 0;
        for (int i = 0; i < _places.Length; i++)
        {
            _places[i].Begin = position;
            OutputPart part = PartOf(_places[i]);
            position += part.Bytes;
            if (part.Role != OutputRole.QuantState) FixedLength = position;
        }

        Length = position;
    }

    /// <summary>Bytes before the first quant_state blob.</summary>
    public long FixedLength { get; }

    /// <summary>Bytes of all of them, quant_state blobs in their longest form.</summary>
    public long Length { get; }

    public int Count => _places.Length;

    public OutputTensor this[int index]
    {
        get
        {
            (int tensor, _, long begin) = _places[index];
            OutputPart part = PartOf(_places[index]);
            TensorPlan plan = _tensors[tensor];
            return new OutputTensor(plan, part.Role, new TensorInfo(part.NameBeside(plan.Name), part.DType, part.Shape, begin, begin + part.Bytes));
        }
    }

    /// <summary>The outputs without their names, which cost most.</summary>
    public IEnumerable<(TensorPlan Plan, OutputPart Part, long Begin)> Places() =>
        _places.Select(place => (_tensors[place.Tensor], PartOf(place), place.Begin));

    public IEnumerator<OutputTensor> GetEnumerator()
    {
        for (int i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private OutputPart PartOf((int Tensor, int Part, long Begin) place) => _forms[place.Tensor].Parts[place.Part];

    /// <summary>
    /// Widest elements first keeps every tensor aligned to its own element size without gaps, as the reference writer does; the
    /// blobs come last because only their length is unknown. Names decide among the others.
    /// </summary>
    private void Order()
    {
        int[] byName = [.. Enumerable.Range(0, _tensors.Count).OrderBy(i => _tensors[i].Name, StringComparer.Ordinal)];
        int filled = 0;
        foreach (int group in _forms.Distinct().SelectMany(form => form.Parts).Select(GroupOf).Distinct().Order())
        {
            int start = filled;
            foreach (int tensor in byName)
            {
                for (int part = 0; part < _forms[tensor].Parts.Count; part++)
                {
                    if (GroupOf(_forms[tensor].Parts[part]) == group) _places[filled++] = (tensor, part, 0);
                }
            }

            // Nearly in order already: what is beside a tensor mostly comes before the next tensor.
            SortByName(_places.AsSpan(start, filled - start));
        }
    }

    private static int GroupOf(OutputPart part) => part.Role == OutputRole.QuantState ? int.MaxValue : -part.Bits;

    private void SortByName(Span<(int Tensor, int Part, long Begin)> places)
    {
        for (int i = 1; i < places.Length; i++)
        {
            (int Tensor, int Part, long Begin) place = places[i];
            int to = i;
            while (to > 0 && CompareNames(places[to - 1], place) > 0)
            {
                // Names made to be far apart would take forever this way.
                if (i - to == FarthestMove)
                {
                    places[to] = place;
                    places.Sort(CompareNames);
                    return;
                }

                places[to] = places[to - 1];
                to--;
            }

            places[to] = place;
        }
    }

    private int CompareNames((int Tensor, int Part, long Begin) a, (int Tensor, int Part, long Begin) b) =>
        OutputPart.Compare(PartOf(a), _tensors[a.Tensor].Name, PartOf(b), _tensors[b.Tensor].Name);
}
