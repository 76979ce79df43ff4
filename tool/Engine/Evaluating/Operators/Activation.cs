namespace Bnb.Engine.Evaluating.Operators;

/// <summary>The nonlinearity of a feed-forward block.</summary>
internal enum Activation
{
    /// <summary>x / (1 + e^-x).</summary>
    Silu,

    /// <summary>x (1 + erf(x / sqrt 2)) / 2.</summary>
    Gelu,

    /// <summary>x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>The square of max(x, 0).</summary>
    SquaredRelu,

    /// <summary>max(x, 0), at most 6.</summary>
    Relu6,

    /// <summary>x, a hundredth of it below 0.</summary>
    LeakyRelu,

    /// <summary>x / (1 + e^(-1.702 x)).</summary>
    QuickGelu,

    /// <summary>Gelu, from -10 to 10.</summary>
    ClippedGelu,

    /// <summary>x min(max(x + 3, 0), 6) / 6.</summary>
    HardSwish,

    /// <summary>x tanh(ln(1 + e^x)).</summary>
    Mish,

    /// <summary>1 / (1 + e^-x).</summary>
    Sigmoid,

    /// <summary>tanh(x).</summary>
    Tanh,

    /// <summary>x.</summary>
    Linear,
}
