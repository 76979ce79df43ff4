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
}
