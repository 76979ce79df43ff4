namespace Bnb.Engine.Planning;

/// <summary>
/// Forms for all tensors: from the smallest ones, the step that saves the most error per byte is taken again and again. On convex
/// hulls every state of that walk has the least error that its size allows.
/// </summary>
internal sealed class Allocation
{
    private readonly IReadOnlyList<TensorChoice> _tensors;
    private readonly int[] _chosen;
    private readonly PriorityQueue<int, (double Gain, int Tensor)> _steps = new();

    public Allocation(IReadOnlyList<TensorChoice> tensors)
    {
        _tensors = tensors;
        _chosen = new int[tensors.Count];
        Bytes = tensors.Sum(tensor => tensor.Forms[0].Bytes);
        Error = tensors.Sum(tensor => tensor.Forms[0].Error);
        for (int i = 0; i < tensors.Count; i++) Offer(i);
    }

    /// <summary>Of the tensors that can be quantized.</summary>
    public long Bytes { get; private set; }

    /// <summary>Sum of their errors.</summary>
    public double Error { get; private set; }

    /// <summary>The form of a tensor now.</summary>
    public FormChoice FormOf(int tensor) => _tensors[tensor].Forms[_chosen[tensor]];

    /// <summary>Takes the next step, unless it would cost more than <paramref name="mostBytes"/> in all; such a step is passed
    /// over, as a smaller one may still fit. False when none is left.</summary>
    public bool TryStep(long mostBytes)
    {
        while (_steps.TryDequeue(out int tensor, out _))
        {
            FormChoice now = FormOf(tensor), next = _tensors[tensor].Forms[_chosen[tensor] + 1];
            if (Bytes + next.Bytes - now.Bytes > mostBytes) continue;
            Bytes += next.Bytes - now.Bytes;
            Error += next.Error - now.Error;
            _chosen[tensor]++;
            Offer(tensor);
            return true;
        }

        return false;
    }

    private void Offer(int tensor)
    {
        IReadOnlyList<FormChoice> forms = _tensors[tensor].Forms;
        if (_chosen[tensor] + 1 == forms.Count) return;
        // The queue gives the smallest first; ties in the order of the checkpoint.
        _steps.Enqueue(tensor, (-TensorChoice.Gain(forms[_chosen[tensor]], forms[_chosen[tensor] + 1]), tensor));
    }
}
