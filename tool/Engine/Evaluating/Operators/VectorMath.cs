using System.Numerics;

namespace Bnb.Engine.Evaluating.Operators;

/// <summary>Functions of float32 vectors that the runtime does not have.</summary>
internal static class VectorMath
{
    /// <summary>tanh to 2e-7 absolute: 1 - 2 / (e^2x + 1).</summary>
    public static Vector<float> Tanh(Vector<float> x)
    {
        // Beyond 10 the result is 1 in float32; e^20 is far from overflow.
        Vector<float> bounded = Vector.Min(Vector.Max(x, new Vector<float>(-10f)), new Vector<float>(10f));
        return Vector<float>.One - (new Vector<float>(2f) / (Vector.Exp(bounded + bounded) + Vector<float>.One));
    }

    /// <summary>
    /// The error function to 3e-7 absolute: x P(x^2) / Q(x^2) on [-4, 4], beyond which it is 1 in float32. The coefficients are
    /// those of Eigen's single precision approximation (Eigen/src/Core/MathFunctionsImpl.h).
    /// </summary>
    public static Vector<float> Erf(Vector<float> x)
    {
        Vector<float> bounded = Vector.Min(Vector.Max(x, new Vector<float>(-4f)), new Vector<float>(4f)), square = bounded * bounded;
        Vector<float> p = new(-2.72614225801306e-10f);
        p = Step(p, square, 2.77068142495902e-08f);
        p = Step(p, square, -2.10102402082508e-06f);
        p = Step(p, square, -5.69250639462346e-05f);
        p = Step(p, square, -7.34990630326855e-04f);
        p = Step(p, square, -2.95459980854025e-03f);
        p = Step(p, square, -1.60960333262415e-02f);
        Vector<float> q = new(-1.45660718464996e-05f);
        q = Step(q, square, -2.13374055278905e-04f);
        q = Step(q, square, -1.68282697438203e-03f);
        q = Step(q, square, -7.37332916720468e-03f);
        q = Step(q, square, -1.42647390514189e-02f);
        return bounded * p / q;
    }

    private static Vector<float> Step(Vector<float> sum, Vector<float> x, float coefficient) =>
        (sum * x) + new Vector<float>(coefficient);
}
