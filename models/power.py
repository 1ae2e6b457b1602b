"""Loss as a power of one quantity: parameters, tokens or compute. Say which: ``power("C")``."""

from bayesscale.law import deterministic, law, prior, sample, split_at_center, value_at_center


@law(takes="x", gives="loss", source="Henighan et al. 2020, arXiv:2010.14701, eq. 1.1")
def power(x):
    """L(x) = E + A / x^alpha

    x is any one of N (parameters), D (tokens), C (FLOP) -> loss in nats per token, with a floor E.
    """
    E, a = split_at_center("E", "A")
    alpha = sample("alpha", prior.exponent(0.25, spread=0.60), of=a)
    A = deterministic("A", a * x.center**alpha)
    return E + A / x**alpha


@law(
    takes="x", gives="loss", source="Kaplan et al. 2020, arXiv:2001.08361, eqs 1.1-1.3 (their constant is A^(1/alpha))"
)
def pure_power(x):
    """L(x) = A / x^alpha

    x is any one of N (parameters), D (tokens), C (FLOP) -> loss in nats per token, without a floor: exponents are about
    four times smaller than with one.
    """
    a = value_at_center()
    alpha = sample("alpha", prior.exponent(0.075, spread=0.60), alike=True)
    A = deterministic("A", a * x.center**alpha)
    return A / x**alpha
