using System.Collections.Concurrent;
using Bnb.Engine.Plans;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Work;

/// <summary>
/// Stored bytes to kernel input: where formats meets quant on the way in. Files are opened when their first tensor is
/// read and closed when their last one is done, so that thousands of shards need a handful of descriptors.
/// </summary>
internal sealed class TensorSource : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<CheckpointFile, OpenFile> _files = new(ReferenceEqualityComparer.Instance);

    private readonly ConcurrentDictionary<WeightInput, Lazy<ValueReader>> _readers = new(ReferenceEqualityComparer.Instance);
    private readonly Func<WeightInput, TensorSource, ValueReader>? _openInput;

    /// <param name="openInput">How inputs are read that no tensor holds as they are.</param>
    public TensorSource(IEnumerable<TensorPlan> tensors, Func<WeightInput, TensorSource, ValueReader> openInput)
        : this(tensors.SelectMany(tensor => tensor.SourceFiles)) => _openInput = openInput;

    /// <param name="reads">One entry per tensor that will be read and released.</param>
    public TensorSource(IEnumerable<CheckpointFile> reads)
    {
        foreach (CheckpointFile file in reads)
        {
            if (!_files.TryGetValue(file, out OpenFile? entry)) _files[file] = entry = new OpenFile();
            entry.Remaining++;
        }
    }

    /// <summary>Reads bytes of a tensor as stored.</summary>
    public void ReadBytes(CheckpointTensor tensor, long offset, Span<byte> destination) =>
        Open(tensor.File).Read(tensor, offset, destination);

    /// <summary>The same of one that may have been read already, with its neighbours.</summary>
    public void ReadBytes(CheckpointTensor tensor, long offset, Span<byte> destination, WorkerBuffers buffers)
    {
        if (buffers.Near?.TryCopy(tensor, offset, destination) != true) ReadBytes(tensor, offset, destination);
    }

    /// <summary>
    /// Values <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> of the dense, flat, [out, in]
    /// weight as the kernel takes them: F64 rounded to F32, Conv1D transposed. The span lies in one of the buffers.
    /// </summary>
    /// <param name="preloaded">The whole source tensor when it is transposed and memory was lent for it, else null.</param>
    public ReadOnlySpan<byte> ReadValues(TensorPlan plan, long first, int count, WorkerBuffers buffers, byte[]? preloaded)
    {
        if (plan.Input is { } input) return ReadInput(input, first, count, buffers);
        Quantization quantization = plan.Quantization!;
        TensorShape? turned = quantization.Transpose ? TensorShape.Of(quantization.Columns, quantization.Rows) : null;
        return ReadDense(plan.Source, quantization.SourceType, turned, first, count, buffers, preloaded);
    }

    /// <summary>The same of a plain tensor, whatever it is for.</summary>
    /// <param name="turned">Its shape when it is to be read the other way round; null to read it as it lies.</param>
    public ReadOnlySpan<byte> ReadDense(
        CheckpointTensor tensor, DType type, TensorShape? turned, long first, int count, WorkerBuffers buffers, byte[]? preloaded)
    {
        int size = type.BitSize() / 8;
        Span<byte> raw = buffers.Raw.AsSpan(0, count * size);
        Span<byte> values = raw;
        if (turned is null)
        {
            ReadBytes(tensor, first * size, raw, buffers);
        }
        else
        {
            values = buffers.Gathered.AsSpan(0, count * size);
            if (preloaded is not null) Conv1D.Gather(preloaded, turned[1], turned[0], size, first, values);
            else Conv1D.Gather((offset, bytes) => ReadBytes(tensor, offset, bytes), buffers.Raw, turned[1], turned[0], size, first, values);
        }

        if (type != DType.F64) return values;
        Span<byte> narrowed = values[..(count * sizeof(float))];
        // In place: value i is read from 8i before it is written to 4i.
        Narrow.F64ToF32(values, narrowed);
        return narrowed;
    }

    /// <summary>Values of an input as a kernel takes them: F64 rounded to F32.</summary>
    public ReadOnlySpan<byte> ReadInput(WeightInput input, long first, int count, WorkerBuffers buffers)
    {
        ReadOnlySpan<byte> values = ReaderOf(input).Read(first, count, buffers);
        if (input.DType != DType.F64) return values;
        Span<byte> narrowed = buffers.Raw.AsSpan(0, count * sizeof(float));
        // In place too: value i is read from 8i before it is written to 4i.
        Narrow.F64ToF32(values, narrowed);
        return narrowed;
    }

    /// <summary>What reads an input; made when it is first asked for.</summary>
    public ValueReader ReaderOf(WeightInput input) => _readers.GetOrAdd(
        input, wanted => new Lazy<ValueReader>(() => _openInput!(wanted, this))).Value;

    /// <summary>Forgets what reads an input, with the small tensors that it may hold.</summary>
    public void Close(WeightInput input, Action<long> giveBack)
    {
        if (_readers.TryRemove(input, out Lazy<ValueReader>? reader) && reader.IsValueCreated) reader.Value.End(giveBack);
    }

    /// <summary>Says that one tensor of <paramref name="file"/> is finished.</summary>
    public void Release(CheckpointFile file)
    {
        lock (_lock)
        {
            OpenFile entry = _files[file];
            if (--entry.Remaining > 0) return;
            entry.File?.Dispose();
            entry.File = null;
        }
    }

    public void Dispose()
    {
        foreach (OpenFile entry in _files.Values) entry.File?.Dispose();
    }

    private WeightReader Open(CheckpointFile file)
    {
        lock (_lock)
        {
            OpenFile entry = _files[file];
            if (entry.File is not null) return entry.File;
            entry.File = WeightReader.Open(file);
            InputCheck.ThrowIfChanged(file, entry.File.Identity);
            return entry.File;
        }
    }

    private sealed class OpenFile
    {
        public WeightReader? File;
        public int Remaining;
    }
}
