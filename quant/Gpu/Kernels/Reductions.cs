using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>The largest of a value over aligned teams of consecutive threads of a group.</summary>
internal interface ITeamMax
{
    /// <summary>Every thread of the group must call it. Ends with every thread past its reads of <paramref name="shared"/> or
    /// behind no later write of another caller: it is called once per kernel.</summary>
    /// <param name="value">This thread's.</param>
    /// <param name="team">Threads in a team, a power of two up to the group's size.</param>
    /// <param name="shared">As many words as the group has threads.</param>
    static abstract int Of(int value, int team, ArrayView<int> shared);
}

/// <summary>With warp shuffles of 32 threads: CUDA. Teams up to a warp need no shared memory.</summary>
internal readonly struct ShuffleMax : ITeamMax
{
    public static int Of(int value, int team, ArrayView<int> shared)
    {
        for (int lane = Math.Min(team, 32) >> 1; lane > 0; lane >>= 1)
        {
            value = Math.Max(value, Warp.ShuffleXor(value, lane));
        }

        if (team <= 32) return value;
        int thread = Group.IdxX, warp = thread >> 5, warps = team >> 5;
        if ((thread & 31) == 0) shared[warp] = value;
        Group.Barrier();
        int first = warp & ~(warps - 1);
        for (int i = 0; i < warps; i++) value = Math.Max(value, shared[first + i]);
        return value;
    }
}

/// <summary>With shared memory and barriers: every device, OpenCL without shuffles among them.</summary>
internal readonly struct SharedMax : ITeamMax
{
    public static int Of(int value, int team, ArrayView<int> shared)
    {
        int thread = Group.IdxX;
        shared[thread] = value;
        Group.Barrier();
        for (int half = team >> 1; half > 0; half >>= 1)
        {
            // The upper half only reads what no one writes in this step.
            if ((thread & (team - 1)) < half) shared[thread] = Math.Max(shared[thread], shared[thread + half]);
            Group.Barrier();
        }

        return shared[thread & ~(team - 1)];
    }
}
