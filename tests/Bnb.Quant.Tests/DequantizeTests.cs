using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Dequantization on every path and to every type: bits of the definition, and of bitsandbytes.</summary>
public class DequantizeTests
{
    private static readonly float[] OddAbsmax =
    [
        1f, 0f, -0f, 0.0123f, float.Epsilon, 1e-40f, 1e-38f, 6.1e-5f, 3e-8f, 65504f, 65519f, 65520f, 7e4f, float.MaxValue,
        float.PositiveInfinity, float.NaN, -1.5f, BitConverter.Int32BitsToSingle(0x7F80_0001),
    ];

    public static TheoryData<string, ElementType> CodesAndTypes() => PathEqualityTests.CodesAndTypes();

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_EveryLengthTo257_GiveTheBitsOfTheReference(string name, ElementType type)
    {
        for (int count = 0; count <= 257; count++)
        {
            foreach (int blocksize in (int[])[32, 64, 128, 4096]) AssertPathsAgree(name, type, blocksize, count, count);
        }
    }

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_AroundBlockEdges_GiveTheBitsOfTheReference(string name, ElementType type)
    {
        foreach (int blocksize in (int[])[32, 64, 128, 256, 512, 1024, 2048, 4096])
        {
            foreach (int count in (int[])[blocksize - 1, blocksize, blocksize + 1, 2 * blocksize + 33, 3 * blocksize - 31])
            {
                AssertPathsAgree(name, type, blocksize, count, blocksize + count);
            }
        }
    }

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_OddScalesAndAllCodes_GiveTheBitsOfTheReference(string name, ElementType type)
    {
        Code4 code = Code4Catalog.ByName(name);
        byte[] packed = [.. Enumerable.Range(0, OddAbsmax.Length * 16).Select(i => (byte)(i * 37 + (i / 16)))];
        var expected = new byte[packed.Length * 2 * type.Size()];
        Dequantize4.Run(code, 32, type, packed, OddAbsmax, expected, KernelPath.Reference);
        foreach (KernelPath path in Kernels.FastPaths)
        {
            var actual = new byte[expected.Length];
            Dequantize4.Run(code, 32, type, packed, OddAbsmax, actual, path);
            Assert.Equal(expected, actual);
        }
    }

    [Theory]
    [MemberData(nameof(CodesAndTypes))]
    public void Paths_SpansBetweenGuardPages_StayInside(string name, ElementType type)
    {
        Code4 code = Code4Catalog.ByName(name);
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            foreach (int count in (int[])[1, 31, 32, 33, 63, 64, 65, 127, 129, 255, 256, 511, 513])
            {
                (byte[] codes, float[] scales) = Input(count, 32, count);
                var expected = new byte[count * type.Size()];
                Dequantize4.Run(code, 32, type, codes, scales, expected, KernelPath.Reference);
                using var packed = new GuardedMemory(codes.Length, side);
                using var absmax = new GuardedMemory(scales.Length * 4, side);
                codes.CopyTo(packed.Span);
                scales.CopyTo(absmax.As<float>());
                foreach (KernelPath path in KernelPaths.Available)
                {
                    using var destination = new GuardedMemory(expected.Length, side);
                    Dequantize4.Run(code, 32, type, packed.Span, absmax.As<float>(), destination.Span, path);
                    Assert.Equal(expected, destination.Span.ToArray());
                }
            }
        }
    }

    public static TheoryData<string, string, int> Cases() => GoldenCaseTests.Cases();

    /// <summary>The bytes that bitsandbytes wrote, on every path. See <see cref="GoldenCaseTests"/> about files in which a block
    /// spans rows, and about zeros of codes that its CPU path chooses differently.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Run_GoldenCodes_GivesGoldenBytes(string file, string quantType, int blocksize)
    {
        GoldenTensors golden = GoldenTensors.Load(file);
        ElementType type = Enum.Parse<ElementType>(golden.Dtype("A"));
        byte[] packed = golden.Bytes("cpu_packed"), expected = golden.Bytes("dequant");
        float[] absmax = golden.Floats("absmax");
        int count = expected.Length / type.Size();
        bool spansRows = blocksize == 256 && golden.Shape("A")[1] == 128;
        int compared = (spansRows ? blocksize : count) * type.Size();
        foreach (KernelPath path in KernelPaths.Available)
        {
            var actual = new byte[expected.Length];
            Dequantize4.Run(Code4Catalog.ByName(quantType), blocksize, type, packed, absmax, actual, path);
            AssertSameValues(type, expected.AsSpan(0, compared), actual.AsSpan(0, compared));

            var values = new float[count];
            Dequantize4.Run(Code4Catalog.ByName(quantType), blocksize, packed, absmax, values, path);
            Assert.Equal(actual, Kernels.Store(type, values));
        }
    }

    [Fact]
    public void Run_WrongLengths_IsRefused()
    {
        Code4 code = Code4Catalog.Nf4;
        Assert.Throws<ArgumentException>(() => Call(3, 1, 4 * 2));
        Assert.Throws<ArgumentException>(() => Call(2, 2, 4 * 2));
        Assert.Throws<ArgumentException>(() => Call(2, 1, 7));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => Dequantize4.Run(code, 48, ElementType.F16, new byte[2], new float[1], new byte[8], KernelPath.Reference));

        void Call(int packed, int absmax, int destination) => Dequantize4.Run(
            code, 64, ElementType.F16, new byte[packed], new float[absmax], new byte[destination], KernelPath.Reference);
    }

    private static (byte[] Packed, float[] Absmax) Input(int count, int blocksize, int seed)
    {
        var random = new Random(seed);
        var packed = new byte[(count + 1) / 2];
        random.NextBytes(packed);
        var absmax = new float[BlockGrid.BlockCount(count, blocksize)];
        for (int i = 0; i < absmax.Length; i++)
        {
            absmax[i] = random.Next(4) == 0 ? OddAbsmax[random.Next(OddAbsmax.Length)] : random.NextSingle();
        }

        return (packed, absmax);
    }

    private static void AssertPathsAgree(string name, ElementType type, int blocksize, int count, int seed)
    {
        Code4 code = Code4Catalog.ByName(name);
        (byte[] packed, float[] absmax) = Input(count, blocksize, seed);
        var expected = new byte[count * type.Size()];
        Dequantize4.Run(code, blocksize, type, packed, absmax, expected, KernelPath.Reference);
        var values = new float[count];
        Dequantize4.Run(code, blocksize, packed, absmax, values, KernelPath.Reference);
        var rounded = new byte[expected.Length];
        Narrow.FromSingle(type, values, rounded);
        Assert.Equal(expected, rounded);
        foreach (KernelPath path in Kernels.FastPaths)
        {
            // One value of room on each side, which must stay as it is.
            int size = type.Size();
            var room = new byte[expected.Length + 2 * size];
            Array.Fill(room, (byte)0xA5);
            Dequantize4.Run(code, blocksize, type, packed, absmax, room.AsSpan(size, expected.Length), path);
            bool same = expected.AsSpan().SequenceEqual(room.AsSpan(size, expected.Length));
            Assert.True(same, $"{name} {type} block {blocksize} count {count} on {path}");
            Assert.True(room.AsSpan(0, size).IndexOfAnyExcept((byte)0xA5) < 0);
            Assert.True(room.AsSpan(^size..).IndexOfAnyExcept((byte)0xA5) < 0);

            var actual = new float[count];
            Dequantize4.Run(code, blocksize, packed, absmax, actual, path);
            Assert.True(MemoryMarshal.AsBytes(values.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(actual.AsSpan())));
        }
    }

    private static void AssertSameValues(ElementType type, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        // Equal but for the sign of zeros.
        var theirs = new float[expected.Length / type.Size()];
        var ours = new float[theirs.Length];
        Widen.ToSingle(type, expected, theirs);
        Widen.ToSingle(type, actual, ours);
        for (int i = 0; i < theirs.Length; i++) Assert.Equal(theirs[i] + 0f, ours[i] + 0f);
    }
}
