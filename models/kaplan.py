"""Kaplan et al. 2020: loss as powers of parameters, tokens, compute and optimizer steps, without a floor.

Without a floor exponents are about four times smaller than Chinchilla's: .05 to .1. Kaplan et al. count N without
embeddings.
"""

import jax.numpy as jnp

from bayesscale.law import deterministic, law, prior, sample, value_at_center


@law(takes="x", gives="loss", source="Kaplan et al. 2020, arXiv:2001.08361, eqs 1.1-1.3")
def kaplan_x(x):
    """L(x) = (x_c / x)^alpha

    x is any one of N (parameters), D (tokens), C (FLOP, or the least compute C_min) -> loss in nats per token. x_c, in
    the unit of x, is where the loss would be 1: decades beyond any run, and without a meaning of its own.
    `pure_power` with the paper's constant: A = x_c^alpha.
    """
    value = value_at_center()
    alpha = sample("alpha", prior.exponent(0.075, spread=0.60), alike=True)
    x_c = deterministic("x_c", x.center * value ** (1 / alpha))
    return x_c**alpha / x**alpha


@law(takes=("N", "D"), gives="loss", source="Kaplan et al. 2020, arXiv:2001.08361, eq. 1.5")
def kaplan_nd(N, D):
    """L(N, D) = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D

    N parameters, D training tokens (training stopped early) -> loss in nats per token. With D without end it is
    (N_c / N)^alpha_N, with N without end (D_c / D)^alpha_D; what D tokens cost a model of N is over-fitting.
    """
    value = value_at_center()
    n = sample("share_N", prior.share(0.0, spread=1.5))  # of the bracket at the centre
    alpha_N = sample("alpha_N", prior.exponent(0.076, spread=0.50), of=n)
    alpha_D = sample("alpha_D", prior.exponent(0.10, spread=0.50), of=1 - n)
    N_c = deterministic("N_c", N.center * (value * n**alpha_D) ** (1 / alpha_N))
    D_c = deterministic("D_c", D.center * (1 - n) * value ** (1 / alpha_D))
    bracket = jnp.logaddexp(alpha_N / alpha_D * jnp.log(N_c / N), jnp.log(D_c / D))
    return jnp.exp(alpha_D * bracket)


@law(takes=("N", "S"), gives="loss", source="Kaplan et al. 2020, arXiv:2001.08361, eqs 1.6 and 5.6")
def kaplan_ns(N, S):
    """L(N, S) = (N_c / N)^alpha_N + (S_c / S)^alpha_S

    N parameters, S optimizer steps -> loss in nats per token of a model while it trains. Kaplan et al. mean S_min, the
    steps that a batch far above the critical size would have needed: steps taken at another batch are brought to that
    first (`bayesscale.models.critical_batch.minimum_steps`). The S term is what training on would still remove.
    """
    value = value_at_center()
    s = sample("share_S", prior.share(-1.5, spread=1.0))  # of the loss at the centre
    alpha_N = sample("alpha_N", prior.exponent(0.076, spread=0.50), of=1 - s)
    alpha_S = sample("alpha_S", prior.exponent(0.70, spread=0.40), of=s)
    N_c = deterministic("N_c", N.center * (value * (1 - s)) ** (1 / alpha_N))
    S_c = deterministic("S_c", S.center * (value * s) ** (1 / alpha_S))
    return N_c**alpha_N / N**alpha_N + S_c**alpha_S / S**alpha_S
