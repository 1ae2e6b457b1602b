"""Chinchilla's exponents with Kaplan's coupling: what parameters bring depends on the tokens, and the reverse."""

import jax.numpy as jnp

from bayesscale.law import deterministic, law, prior, sample, split_at_center


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
    k = sample("k", prior.positive(0.6, spread=0.5))
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a)
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=b)
    A = deterministic("A", a * (a / (a + b)) ** (k - 1) * N.center**alpha)
    B = deterministic("B", b * (b / (a + b)) ** (k - 1) * D.center**beta)
    return E + jnp.exp(k * jnp.logaddexp(jnp.log(A / N**alpha) / k, jnp.log(B / D**beta) / k))
