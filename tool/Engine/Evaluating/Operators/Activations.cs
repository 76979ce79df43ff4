using System.Numerics;

namespace Bnb.Engine.Evaluating.Operators;

/// <summary>Nonlinearities over spans, in float32, to a few units in the last place.</summary>
internal static class Activations
{
    private interface IFunction
    {
        static abstract Vector<float> Of(Vector<float> x);
    }

    /// <summary>The function of one of the names in transformers' ACT2FN, or null for one that is not computed here.</summary>
    public static Activation? ByName(string name) => name switch
    {
        "silu" or "swish" => Activation.Silu,
        "gelu" or "gelu_python" => Activation.Gelu,
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_python_tanh" or "gelu_fast" or "gelu_accurate" => Activation.GeluTanh,
        "relu" => Activation.Relu,
        "relu2" => Activation.SquaredRelu,
        "relu6" => Activation.Relu6,
        "leaky_relu" => Activation.LeakyRelu,
        "quick_gelu" => Activation.QuickGelu,
        "gelu_10" => Activation.ClippedGelu,
        "hardswish" => Activation.HardSwish,
        "mish" => Activation.Mish,
        "sigmoid" => Activation.Sigmoid,
        "tanh" => Activation.Tanh,
        "linear" => Activation.Linear,
        _ => null,
    };

    /// <summary>values[i] = f(values[i]).</summary>
    public static void Apply(Activation function, Span<float> values)
    {
        switch (function)
        {
            case Activation.Silu:
                Map<Silu>(values);
                break;
            case Activation.Gelu:
                Map<Gelu>(values);
                break;
            case Activation.GeluTanh:
                Map<GeluTanh>(values);
                break;
            case Activation.SquaredRelu:
                Map<SquaredRelu>(values);
                break;
            case Activation.Relu6:
                Map<Relu6>(values);
                break;
            case Activation.LeakyRelu:
                Map<LeakyRelu>(values);
                break;
            case Activation.QuickGelu:
                Map<QuickGelu>(values);
                break;
            case Activation.ClippedGelu:
                Map<ClippedGelu>(values);
                break;
            case Activation.HardSwish:
                Map<HardSwish>(values);
                break;
            case Activation.Mish:
                Map<Mish>(values);
                break;
            case Activation.Sigmoid:
                Map<Sigmoid>(values);
                break;
            case Activation.Tanh:
                Map<HyperbolicTangent>(values);
                break;
            case Activation.Linear:
                break;
            default:
                Map<Relu>(values);
                break;
        }
    }

    /// <summary>
    /// gpt_oss: gate = min(gate, limit), up = clamp(up, -limit, limit), up = (up + 1) gate / (1 + e^(-alpha gate)).
    /// </summary>
    /// <param name="gate">As the product gave it.</param>
    /// <param name="up">The same length; overwritten with the result.</param>
    public static void ClippedGate(ReadOnlySpan<float> gate, Span<float> up, float alpha, float limit)
    {
        for (int i = 0; i < up.Length; i++)
        {
            float g = MathF.Min(gate[i], limit), u = Math.Clamp(up[i], -limit, limit);
            up[i] = (u + 1) * (g / (1 + MathF.Exp(-alpha * g)));
        }
    }

    /// <summary>values[i] = cap tanh(values[i] / cap).</summary>
    public static void SoftCap(Span<float> values, float cap)
    {
        var scale = new Vector<float>(cap);
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
            (VectorMath.Tanh(new Vector<float>(values[i..]) / scale) * scale).CopyTo(values[i..]);
        for (; i < values.Length; i++) values[i] = MathF.Tanh(values[i] / cap) * cap;
    }

    /// <summary>up[i] = up[i] * factor[i].</summary>
    public static void Multiply(ReadOnlySpan<float> factor, Span<float> up)
    {
        int i = 0;
        for (; i <= up.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(factor[i..]) * new Vector<float>(up[i..])).CopyTo(up[i..]);
        for (; i < up.Length; i++) up[i] *= factor[i];
    }

    private static void Map<TFunction>(Span<float> values)
        where TFunction : struct, IFunction
    {
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
            TFunction.Of(new Vector<float>(values[i..])).CopyTo(values[i..]);
        if (i == values.Length) return;
        Span<float> rest = stackalloc float[Vector<float>.Count];
        rest.Clear();
        values[i..].CopyTo(rest);
        TFunction.Of(new Vector<float>(rest)).CopyTo(rest);
        rest[..(values.Length - i)].CopyTo(values[i..]);
    }

    private readonly struct Silu : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => x / (Vector<float>.One + Vector.Exp(-x));
    }

    private readonly struct Gelu : IFunction
    {
        public static Vector<float> Of(Vector<float> x) =>
            x * new Vector<float>(0.5f) * (Vector<float>.One + VectorMath.Erf(x * new Vector<float>(0.70710678f)));
    }

    private readonly struct GeluTanh : IFunction
    {
        public static Vector<float> Of(Vector<float> x)
        {
            // (1 + tanh u) / 2 = 1 / (1 + e^-2u), which loses nothing where tanh is near -1.
            Vector<float> u = new Vector<float>(0.7978845608f) * (x + (new Vector<float>(0.044715f) * x * x * x));
            return x / (Vector<float>.One + Vector.Exp(u * new Vector<float>(-2f)));
        }
    }

    private readonly struct Relu : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => Vector.Max(x, Vector<float>.Zero);
    }

    private readonly struct SquaredRelu : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => Relu.Of(x) * Relu.Of(x);
    }

    private readonly struct Relu6 : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => Vector.Min(Relu.Of(x), new Vector<float>(6f));
    }

    private readonly struct LeakyRelu : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => Vector.Max(x, x * new Vector<float>(0.01f));
    }

    private readonly struct QuickGelu : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => x / (Vector<float>.One + Vector.Exp(x * new Vector<float>(-1.702f)));
    }

    private readonly struct ClippedGelu : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => Vector.Min(Vector.Max(Gelu.Of(x), new Vector<float>(-10f)), new Vector<float>(10f));
    }

    private readonly struct HardSwish : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => x * Relu6.Of(x + new Vector<float>(3f)) / new Vector<float>(6f);
    }

    private readonly struct Mish : IFunction
    {
        public static Vector<float> Of(Vector<float> x)
        {
            // tanh(ln(1 + e)) = e (e + 2) / (e (e + 2) + 2), which is 1 in float32 long before e^20.
            Vector<float> e = Vector.Exp(Vector.Min(x, new Vector<float>(20f))), n = e * (e + new Vector<float>(2f));
            return x * n / (n + new Vector<float>(2f));
        }
    }

    private readonly struct Sigmoid : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => Vector<float>.One / (Vector<float>.One + Vector.Exp(-x));
    }

    private readonly struct HyperbolicTangent : IFunction
    {
        public static Vector<float> Of(Vector<float> x) => VectorMath.Tanh(x);
    }
}
