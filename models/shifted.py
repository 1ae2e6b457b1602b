"""Chinchilla for runs so small that the loss does not follow a power there yet."""

import jax.numpy as jnp

from bayesscale.law import deterministic, law, prior, sample, split_at_center


@law(takes=("N", "D"), gives="loss", source="a shifted power law in each of N and D")
def shifted(N, D):
    """L(N, D) = E + A / (N + N_0)^alpha + B / (D + D_0)^beta

    N parameters, D training tokens -> loss in nats per token. Far above N_0 and D_0 it is `chinchilla`; near and below
    them the loss levels off, as it must at the small end. Both are sampled as their share of N + N_0 and of D + D_0 at
    the centre; they can be told from 0 only where the table reaches down to them.
    """
    E, a, b = split_at_center("E", "A", "B")
    n = sample("share_N_0", prior.share(-2.0, spread=1.5))
    d = sample("share_D_0", prior.share(-2.0, spread=1.5))
    alpha = sample("alpha", prior.exponent(0.30, spread=0.40), of=a * (1 - n))
    beta = sample("beta", prior.exponent(0.33, spread=0.50), of=b * (1 - d))
    N_0 = deterministic("N_0", N.center * n / (1 - n))
    D_0 = deterministic("D_0", D.center * d / (1 - d))
    A = deterministic("A", a * (N.center + N_0) ** alpha)
    B = deterministic("B", b * (D.center + D_0) ** beta)
    # Written out, since the derivative of a power of an array costs three times as much.
    return E + A * jnp.exp(-alpha * jnp.log(N + N_0)) + B * jnp.exp(-beta * jnp.log(D + D_0))
