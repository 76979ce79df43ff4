namespace Bnb.Quant.Search;

/// <summary>float32 arithmetic at one width, so that the search is written once.</summary>
internal interface ILanes<TVector>
    where TVector : struct
{
    /// <summary>Numbers in a vector; divides 16.</summary>
    static abstract int Count { get; }

    static abstract TVector Create(float value);

    static abstract TVector Load(ref float source, nuint index);

    static abstract void Store(TVector vector, ref float target, nuint index);

    static abstract TVector Add(TVector left, TVector right);

    static abstract TVector Subtract(TVector left, TVector right);

    static abstract TVector Multiply(TVector left, TVector right);

    static abstract TVector Divide(TVector left, TVector right);

    /// <summary>left * right + addend, with one rounding or two.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);

    /// <summary>The table's value of each number. Exact.</summary>
    static abstract TVector Nearest<TTable>(TVector y)
        where TTable : struct, ISearchTable;
}
