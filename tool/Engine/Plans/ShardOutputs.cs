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
    private readonly Place[] _places;

    /// <summary>Puts the outputs of a shard in order.</summary>
    /// <param name="forms">What each tensor becomes.</param>
    public ShardOutputs(IReadOnlyList<TensorPlan> tensors, IReadOnlyList<OutputForm> forms)
    {
        (_tensors, _forms) = (tensors, forms);
        int count = 0;
        foreach (OutputForm form in forms) count += form.Parts.Count;
        _places = new Place[count];
        Order();
        long position = 0;
        for (int i = 0; i < _places.Length; i++)
        {
            _places[i] = _places[i] with { Begin = position };
            FormPart part = PartOf(_places[i]);
            position += part.Bytes;
            LongestName = Math.Max(LongestName, part.NameLength(_tensors[_places[i].Tensor].Name));
            if (part.Role == OutputRole.QuantState) HasStates = true;
            else FixedLength = position;
        }

        Length = position;
    }

    /// <summary>Bytes before the first quant_state blob.</summary>
    public long FixedLength { get; }

    /// <summary>Bytes of all of them, quant_state blobs in their longest form.</summary>
    public long Length { get; }

    /// <summary>Characters of the longest name.</summary>
    public int LongestName { get; }

    /// <summary>Whether there are quant_state blobs, and so the header depends on values.</summary>
    public bool HasStates { get; }

    public int Count => _places.Length;

    public OutputTensor this[int index]
    {
        get
        {
            (TensorPlan plan, FormPart part, long begin) = At(index);
            return new OutputTensor(plan, part.Role, new TensorInfo(part.NameBeside(plan.Name), part.DType, part.Shape, begin, begin + part.Bytes));
        }
    }

    /// <summary>The outputs without their names, which cost most.</summary>
    // Not a sequence of tuples: what the runtime has for these is compiled anew in every process.
    public PlacedParts Places() => new(this);

    /// <summary>Without its name, what stands at that place in the file.</summary>
    public PlacedPart At(int index) => new(_tensors[_places[index].Tensor], PartOf(_places[index]), _places[index].Begin);

    /// <summary>Something of each quant_state blob, in their order.</summary>
    public IReadOnlyList<T> States<T>(Func<PlacedPart, T> of)
    {
        List<T> states = [];
        foreach (PlacedPart place in Places())
            if (place.Part.Role == OutputRole.QuantState) states.Add(of(place));

        return states;
    }

    public IEnumerator<OutputTensor> GetEnumerator()
    {
        for (int i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private FormPart PartOf(Place place) => _forms[place.Tensor].Parts[place.Part];

    /// <summary>
    /// Widest elements first keeps every tensor aligned to its own element size without gaps, as the reference writer does; the
    /// blobs come last because only their length is unknown. Names decide among the others.
    /// </summary>
    private void Order()
    {
        int[] byName = new int[_tensors.Count];
        for (int i = 0; i < byName.Length; i++) byName[i] = i;
        Array.Sort(byName, CompareTensors);
        int filled = 0;
        foreach (int group in Groups())
        {
            int start = filled;
            foreach (int tensor in byName)
            {
                for (int part = 0; part < _forms[tensor].Parts.Count; part++)
                {
                    if (GroupOf(_forms[tensor].Parts[part]) == group) _places[filled++] = new Place(tensor, part, 0);
                }
            }

            // Nearly in order already: what is beside a tensor mostly comes before the next tensor.
            SortByName(_places.AsSpan(start, filled - start));
        }
    }

    private int CompareTensors(int a, int b)
    {
        int order = string.CompareOrdinal(_tensors[a].Name, _tensors[b].Name);
        return order != 0 ? order : a.CompareTo(b);
    }

    /// <summary>The groups that there are, in their order.</summary>
    private List<int> Groups()
    {
        List<int> groups = [];
        var seen = new HashSet<OutputForm>(ReferenceEqualityComparer.Instance);
        foreach (OutputForm form in _forms)
        {
            if (!seen.Add(form)) continue;
            foreach (FormPart part in form.Parts)
                if (!groups.Contains(GroupOf(part))) groups.Add(GroupOf(part));
        }

        groups.Sort();
        return groups;
    }

    private static int GroupOf(FormPart part) => part.Role == OutputRole.QuantState ? int.MaxValue : -part.Bits;

    private void SortByName(Span<Place> places)
    {
        for (int i = 1; i < places.Length; i++)
        {
            Place place = places[i];
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

    private int CompareNames(Place a, Place b) =>
        FormPart.Compare(PartOf(a), _tensors[a.Tensor].Name, PartOf(b), _tensors[b.Tensor].Name);

    private readonly record struct Place(int Tensor, int Part, long Begin);
}
