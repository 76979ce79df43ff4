using Bnb.Engine.Plans;

namespace Bnb.Engine.Quantizing;

/// <summary>One object for all forms that are equal: experts by the thousand differ in their names only.</summary>
internal sealed class SharedForms
{
    private readonly Dictionary<Quantization, Quantization> _known = [];
    // Equal ones come together, and comparing two costs less than hashing one.
    private Quantization? _last;

    /// <summary>The first form that was equal to this.</summary>
    public Quantization Of(Quantization form)
    {
        if (form.Equals(_last)) return _last;
        if (!_known.TryAdd(form, form)) form = _known[form];
        return _last = form;
    }
}
