using System.Buffers;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.LowRank;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Merging;

/// <summary>
/// Merged values: W + s * (L R), row by row, in float32, rounded once. L and R are held; DoRA's lengths are summed in a pass of
/// its own before the first piece.
/// </summary>
internal sealed class MergedReader : ValueReader
{
    private const int Strip = 4096;

    private readonly MergedInput _input;
    private readonly TensorSource _source;
    private readonly ElementType _type;
    private readonly ElementType _baseType;
    private readonly long _columns;
    private readonly bool _isOutputByRow;
    private float[] _left = [];
    private float[] _right = [];
    private float[] _magnitudes = [];
    private double[] _squares = [];
    private byte[]? _preloaded;
    private long _held;

    public MergedReader(MergedInput input, TensorSource source)
    {
        (_input, _source) = (input, source);
        _type = FloatTypes.Of(input.To) ?? ElementType.F32;
        _baseType = FloatTypes.Of(input.Base.DType) ?? ElementType.F32;
        TensorShape shape = input.Shape;
        // Without an update rows do not matter, and those of a convolution are three values long.
        _columns = input.Update is null ? Math.Max(1, shape.ElementCount) : input.Transpose ? shape[0] : shape[shape.Rank - 1];
        // Rows of what is read are output features, unless the weight lies the other way round and is read as it lies.
        _isOutputByRow = input.IsFanInFanOut == input.Transpose;
    }

    public override void Begin(Func<long, bool> lend)
    {
        if (_input.Base.Input is { } inner) _source.ReaderOf(inner).Begin(lend);
        CheckpointTensor tensor = _input.Base.Source;
        if (_input.Transpose && _input.Base.Input is null && tensor.ByteCount <= Array.MaxLength && lend(tensor.ByteCount))
        {
            _held += tensor.ByteCount;
            byte[] whole = GC.AllocateUninitializedArray<byte>((int)tensor.ByteCount);
            _source.ReadBytes(tensor, 0, whole);
            _preloaded = whole;
        }

        if (_input.Update is not { } update) return;
        long matrices = (update.A.Shape.ElementCount + update.B.Shape.ElementCount) * sizeof(float);
        if (matrices > Array.MaxLength || !lend(matrices))
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", "--max-memory is too small for the adapter's matrices")
            {
                Tensor = _input.Name,
                Facts = [("needed", $"{matrices:N0} bytes beside the buffers")],
                Action = "raise --max-memory",
            };
        }

        _held += matrices;
        // B A of [out, in]; read the other way round it is A^T B^T.
        (_left, _right) = _isOutputByRow
            ? (Floats(update.B), Floats(update.A))
            : (Transposed(Floats(update.A), update.Rank), Transposed(Floats(update.B), update.B.Shape[0]));
        if (update.Magnitude is { } magnitude) SumSquares(Floats(magnitude));
    }

    public override void End(Action<long> giveBack)
    {
        if (_input.Base.Input is { } inner) _source.Close(inner, giveBack);
        if (_held > 0) giveBack(_held);
        _held = 0;
        (_left, _right, _preloaded) = ([], [], null);
    }

    public override ReadOnlySpan<byte> Read(long first, int count, WorkerBuffers buffers)
    {
        int size = _type.Size(), baseSize = _baseType.Size();
        Span<byte> values = buffers.Raw.AsSpan(0, count * size);
        ReadOnlySpan<byte> stored = BaseValues(first, count, buffers);
        float[] scratch = ArrayPool<float>.Shared.Rent(Strip);
        // Stored values may lie where the results go. Wider results go further on than what they are made from: last ones first.
        bool backward = size > baseSize;
        for (int done = 0, length; done < count; done += length)
        {
            length = backward ? LengthBefore(first + count - done, count - done) : LengthAfter(first + done, count - done);
            int at = backward ? count - done - length : done;
            long row = (first + at) / _columns, column = (first + at) % _columns;
            Span<float> strip = scratch.AsSpan(0, length);
            Widen.ToSingle(_baseType, stored.Slice(at * baseSize, length * baseSize), strip);
            Add(row, column, strip);
            if (_magnitudes.Length > 0) Normalize(row, column, strip);
            Narrow.FromSingle(_type, strip, values.Slice(at * size, length * size));
        }

        ArrayPool<float>.Shared.Return(scratch);
        return values;
    }

    /// <summary>Values of one row that begin at a place.</summary>
    private int LengthAfter(long place, int left) => (int)Math.Min(Math.Min(Strip, left), _columns - (place % _columns));

    /// <summary>Values of one row that end at a place.</summary>
    private int LengthBefore(long place, int left) => (int)Math.Min(Math.Min(Strip, left), ((place - 1) % _columns) + 1);

    private ReadOnlySpan<byte> BaseValues(long first, int count, WorkerBuffers buffers)
    {
        TensorPlan source = _input.Base;
        return source.Input is { } inner
            ? _source.ReadInput(inner, first, count, buffers)
            : _source.ReadDense(source.Source, source.DType, _input.Transpose ? _input.Shape : null, first, count, buffers, _preloaded);
    }

    private void Add(long row, long column, Span<float> strip)
    {
        if (_input.Update is not { } update) return;
        int rank = (int)update.Rank;
        LowRankUpdate.AddRow(
            _left.AsSpan((int)row * rank, rank), _right, (int)_columns, (int)column, (float)update.Scaling, strip);
    }

    private void Normalize(long row, long column, Span<float> strip)
    {
        if (_isOutputByRow)
        {
            LowRankUpdate.Normalize(_magnitudes[row], _squares[row], strip);
            return;
        }

        for (int i = 0; i < strip.Length; i++)
            LowRankUpdate.Normalize(_magnitudes[column + i], _squares[column + i], strip.Slice(i, 1));
    }

    /// <summary>The squared length of each output feature's merged weights.</summary>
    private void SumSquares(float[] magnitudes)
    {
        int most = Strip * 16;
        var buffers = new WorkerBuffers(most * sizeof(double), most * sizeof(double), 0, 0)
        {
            Input = _input.Buffers is { } shape ? WorkerBuffers.ForInput(shape, most) : null,
        };
        double[] squares = new double[magnitudes.Length];
        float[] scratch = new float[Strip];
        int size = _baseType.Size();
        for (long first = 0; first < _input.Shape.ElementCount; first += most)
        {
            int count = (int)Math.Min(most, _input.Shape.ElementCount - first);
            ReadOnlySpan<byte> stored = BaseValues(first, count, buffers);
            for (int done = 0; done < count;)
            {
                long row = (first + done) / _columns, column = (first + done) % _columns;
                Span<float> strip = scratch.AsSpan(0, (int)Math.Min(Math.Min(Strip, count - done), _columns - column));
                Widen.ToSingle(_baseType, stored.Slice(done * size, strip.Length * size), strip);
                Add(row, column, strip);
                if (_isOutputByRow) squares[row] = LowRankUpdate.AddSquares(squares[row], strip);
                else
                {
                    for (int i = 0; i < strip.Length; i++)
                        squares[column + i] = LowRankUpdate.AddSquares(squares[column + i], strip.Slice(i, 1));
                }

                done += strip.Length;
            }
        }

        (_squares, _magnitudes) = (squares, magnitudes);
    }

    private float[] Floats(CheckpointTensor tensor)
    {
        ElementType type = FloatTypes.Of(tensor.DType)!.Value;
        byte[] stored = new byte[tensor.ByteCount];
        _source.ReadBytes(tensor, 0, stored);
        var values = new float[tensor.Shape.ElementCount];
        Widen.ToSingle(type, stored, values);
        return values;
    }

    /// <param name="values">[rows, columns].</param>
    /// <returns>[columns, rows].</returns>
    private static float[] Transposed(float[] values, long rows)
    {
        int height = (int)rows, width = values.Length / height;
        var turned = new float[values.Length];
        for (int row = 0; row < height; row++)
        {
            for (int column = 0; column < width; column++) turned[(column * height) + row] = values[(row * width) + column];
        }

        return turned;
    }
}
