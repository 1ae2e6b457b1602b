"""Chinchilla's exponents with Kaplan's coupling: what parameters bring depends on the tokens, and the reverse."""

import jax.numpy as jnp
from numpyro import distributions as dist

from bayesscale.law import deterministic, law, prior, sample, split_at_center


def coupled(N, D, a, b):
    """Return [(A / N^alpha)^(1/k) + (B / D^beta)^(1/k)]^k, which at the centre is a + b."""
    k = sample("k", prior.positive(0.6, spread=0.5), alike=True)
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=b)
    A = deterministic("A", a * (a / (a + b)) ** (k - 1) * N.center**alpha)
    B = deterministic("B", b * (b / (a + b)) ** (k - 1) * D.center**beta)
    return jnp.exp(k * jnp.logaddexp(jnp.log(A / N**alpha) / k, jnp.log(B / D**beta) / k))


def drift(N, D):
    """Return (C_0 / C)^eps, C = 6 N D, which at the centre is 1."""
    eps = sample("eps", dist.Normal(0.01, 0.02), alike=True)
    C_0 = deterministic("C_0", 6 * N.center * D.center)
    return (C_0 / 6) ** eps / (N**eps * D**eps)


@law(
    takes=("N", "D"),
    gives="loss",
    source="the coupled form E + A (N^-a + R D^-b)^k, which holds Chinchilla and Kaplan's eq. 1.5",
)
def skaling(N, D):
    """L(N, D) = E + [(A / N^alpha)^(1/k) + (B / D^beta)^(1/k)]^k

    N parameters, D training tokens -> loss in nats per token. A, B, alpha, beta mean what they mean in Chinchilla: with
    D without end the loss is E + A / N^alpha. k couples the two terms: with k = 1 it is `chinchilla`; below 1 the
    larger one dominates and N and D make each other more valuable; with k = beta and no floor it is `kaplan_nd`.

    In the form E + A (N^-a + R D^-b)^k: a = alpha / k, b = beta / k, R = (B / A)^(1/k). Written as here, what is
    known of the exponents from other laws holds whatever k is.
    """
    E, a, b = split_at_center("E", "A", "B")
    return E + coupled(N, D, a, b)


@law(
    takes=("N", "D"),
    gives="loss",
    source="`skaling` with a floor that drifts; forecast best beyond the data on eight public tables",
)
def skaling_drift(N, D):
    """L(N, D) = E / (C / C_0)^eps + [(A / N^alpha)^(1/k) + (B / D^beta)^(1/k)]^k, C = 6 N D

    N parameters, D training tokens -> loss in nats per token. As `skaling`, but what no single power explains goes on
    falling slowly with compute: on real tables eps is .01 to .02 per e-fold, and a floor that stands still makes
    forecasts of larger runs too high. With eps = 0 it is `skaling`; else E, the term's value at the compute C_0 of the
    data's centre, is no loss that cannot be removed.
    """
    E, a, b = split_at_center("E", "A", "B", reducible=prior.share(-0.7, spread=1.2), spread=1.5)
    return E * drift(N, D) + coupled(N, D, a, b)
